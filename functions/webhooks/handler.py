"""Entry point of the function that delivers webhooks."""

import json
import os
from contextlib import suppress
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from adapters.presigned import PresignedLinks
from adapters.webhook_records import WebhookRecords
from domain.clock import now
from domain.webhook import WebhookRules
from functions.clients import client
from functions.log import error_fields, logger
from functions.webhooks.delivery import Deliverer
from functions.webhooks.receiver import WebhookSender
from functions.webhooks.secret import SigningSecrets

RETRY_SECONDS: Final = 30
"""When an event is tried again after an unexpected error, such as one of AWS."""

_sqs = client("sqs")
_queue_url = os.environ["WEBHOOK_QUEUE_URL"]
_deliver = Deliverer(
    records=WebhookRecords(client("dynamodb"), os.environ["TASK_TABLE"]),
    links=PresignedLinks(client("s3"), clock=now),
    secrets=SigningSecrets(client("secretsmanager"), os.environ["WEBHOOK_SECRET_ARN"]),
    post=WebhookSender(rules=WebhookRules.from_text(os.environ.get("WEBHOOKS_ALLOW", ""))).post,
)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Deliver the events of a batch, and return the ids of the messages that must stay in the queue."""
    failed = [record["messageId"] for record in event["Records"] if not _process(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _process(record: dict[str, Any]) -> bool:
    """Attempt the delivery in a message; return whether the message can be deleted."""
    attributes = record.get("messageAttributes") or {}
    if "webhook" not in attributes:
        logger.error(
            "discarded a message without the attribute `webhook`", extra={"message_id": record["messageId"]}
        )
        return True
    try:
        seconds = _deliver(json.loads(record["body"]), attributes["webhook"]["stringValue"])
    except Exception as error:  # noqa: BLE001 - the message stays in its queue, and the others are delivered
        fields = {"message_id": record["messageId"], **error_fields(error)}
        logger.error("a webhook could not be processed", extra=fields)
        seconds = RETRY_SECONDS
    if seconds is None:
        return True
    with suppress(BotoCoreError, ClientError):  # otherwise it is tried again after the queue's own timeout
        _sqs.change_message_visibility(
            QueueUrl=_queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds
        )
    return False
