"""Send the callback of a finished task before a request changes or replaces its row."""

from botocore.exceptions import BotoCoreError, ClientError

from adapters.results import Results
from domain.row import Row
from functions.api.request_errors import callback_pending
from functions.log import error_fields, log_fields, logger


def send_pending_callback(results: Results, row: Row) -> None:
    """Send the callback; raise InvalidTask (409) if it cannot be sent now."""
    try:
        results.notify(row)
    except (BotoCoreError, ClientError) as error:
        logger.error("the callback was not sent", extra={**log_fields(row), **error_fields(error)})
        raise callback_pending(row) from None
