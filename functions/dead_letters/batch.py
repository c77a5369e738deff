"""Process a batch from SQS message by message, and report those that must be redelivered."""

from collections.abc import Callable
from typing import Any

from functions.dead_letters.dead_letter import DeadLetter
from functions.log import error_fields, logger


def process_batch(
    event: dict[str, Any],
    process: Callable[[DeadLetter], bool],
    time_is_left: Callable[[], bool],
) -> dict[str, Any]:
    """Return Lambda's partial batch response; an error of one message does not affect the others."""
    failures: list[dict[str, str]] = []
    for record in event["Records"]:
        if not (time_is_left() and _process_record(record, process)):
            failures.append({"itemIdentifier": record["messageId"]})  # noqa: PERF401 - a comprehension with a side effect
    logger.info("batch processed", extra={"messages": len(event["Records"]), "failed": len(failures)})
    return {"batchItemFailures": failures}


def _process_record(record: dict[str, Any], process: Callable[[DeadLetter], bool]) -> bool:
    """Return whether the message can be deleted."""
    letter = _parse_record(record)
    try:
        return process(letter)
    except Exception as error:  # noqa: BLE001 - this message is redelivered, and the others go on
        fields = {"message_id": letter.id, "queue": letter.queue, **error_fields(error)}
        logger.error("a dead-lettered message could not be processed; it will be redelivered", extra=fields)
        return False


def _parse_record(record: dict[str, Any]) -> DeadLetter:
    attributes = record.get("messageAttributes") or {}
    system = record.get("attributes") or {}
    # The error that SNS attaches to a message it could not deliver, and how often a queue delivered it.
    metadata = {}
    if "ErrorCode" in attributes:
        metadata["ErrorCode"] = str(attributes["ErrorCode"].get("stringValue"))
    if "ApproximateReceiveCount" in system:
        metadata["received"] = str(system["ApproximateReceiveCount"])
    return DeadLetter(
        id=record["messageId"],
        body=record["body"],
        queue=str(record.get("eventSourceARN", "")).rsplit(":", 1)[-1],
        runtime=(attributes.get("runtime") or {}).get("stringValue"),
        metadata=metadata,
    )
