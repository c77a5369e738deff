"""Entry point of the dead-letter function."""

import os
from typing import Any, Final

from adapters.archive import Archive
from domain.clock import now
from functions.clients import client
from functions.composition import compose
from functions.dead_letters.batch import process_batch
from functions.dead_letters.dead_letter import DeadLetterProcessor
from functions.environment import Environment

_RESERVE_MILLISECONDS: Final = 10_000
"""How long processing one more message may take; messages for which no time is left are redelivered."""

_environment = Environment.read(os.environ)
_s3 = client("s3")
_shared = compose(_environment, dynamodb=client("dynamodb"), sns=client("sns"), s3=_s3)
_processor = DeadLetterProcessor(
    table=_shared.table,
    results=_shared.results,
    archive=Archive(_s3, _environment.task_bucket),
    clock=now,
    runtimes=frozenset(runtime.name for runtime in _environment.runtimes),
)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Process a batch and return the messages that stay in their queue."""
    return process_batch(
        event, _processor, lambda: context.get_remaining_time_in_millis() > _RESERVE_MILLISECONDS
    )
