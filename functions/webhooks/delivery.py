"""Make one attempt to deliver an event, and record the result."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from adapters.presigned import PresignedLinks
from adapters.webhook_records import WebhookRecords
from domain.canonical import compact_json
from domain.clock import iso, now
from domain.metrics import WEBHOOKS_DELIVERED, WEBHOOKS_GIVEN_UP
from domain.webhook import STATUS_GONE, DeliveryRecord
from functions.log import logger
from functions.measure import count
from functions.webhooks.receiver import DeliveryFailed
from functions.webhooks.signature import signature_header


class Post(Protocol):
    """Sends a POST request to a receiver."""

    def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Return the HTTP status of the response; raise DeliveryFailed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliverer:
    """Delivers events at least once, in no particular order."""

    records: WebhookRecords
    links: PresignedLinks
    secrets: Callable[[], list[str]]
    post: Post
    clock: Callable[[], datetime] = now

    def __call__(self, callback: dict[str, Any], submission_id: str) -> int | None:
        """Attempt a delivery; return in how many seconds to try again, None if no further attempt follows.

        The record is written after the attempt: if this function ends in between, the event is sent twice,
        and the receiver recognizes it by its `webhook-id`.
        """
        record = self.records.read(submission_id, str(callback["status"]))
        if record is None or record.is_final:
            return None
        if seconds := record.seconds_until_next(self.clock()):
            return seconds  # SQS sent the message early: the change of its visibility timeout had failed
        status = self._attempt(record, callback)
        record, delay = record.after_attempt(status, self.clock())
        self.records.write(record, now=self.clock())
        self._report(record, runtime=str(callback["runtime"]))
        return delay

    def _attempt(self, record: DeliveryRecord, callback: dict[str, Any]) -> int | None:
        moment = self.clock()
        timestamp = int(moment.timestamp())
        body = compact_json(
            {"type": f"task.{record.event}", "timestamp": iso(moment), "data": self._data(callback)}
        ).encode()
        signature = signature_header(
            self.secrets(), webhook_id=record.webhook_id, timestamp=timestamp, body=body
        )
        headers = {
            "webhook-id": record.webhook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
        }
        try:
            return self.post(record.url, body, headers)
        except DeliveryFailed as error:
            logger.info("a webhook request failed", extra={**_log_fields(record), "reason": str(error)})
            return None

    def _data(self, callback: dict[str, Any]) -> dict[str, Any]:
        output_uri = callback.get("output_url")
        links = {
            "images": [self.links.get(uri) for uri in callback["image_url"]],
            "output": self.links.get(output_uri) if output_uri else None,
        }
        return callback | {"links": links}

    def _report(self, record: DeliveryRecord, *, runtime: str) -> None:
        fields = _log_fields(record) | {"attempts": record.attempts, "last_status": record.last_status}
        if record.delivered_at is not None:
            count(WEBHOOKS_DELIVERED, runtime=runtime, **_log_fields(record))
            logger.info("webhook delivered", extra=fields)
        elif record.given_up and record.last_status == STATUS_GONE:
            logger.info("the receiver refused further attempts (410)", extra=fields)
        elif record.given_up:
            count(WEBHOOKS_GIVEN_UP, runtime=runtime, **_log_fields(record))
            logger.warning("webhook not delivered, and no further attempt follows", extra=fields)
        else:
            logger.info(
                "webhook not delivered yet", extra=fields | {"next_attempt_at": record.next_attempt_at}
            )


def _log_fields(record: DeliveryRecord) -> dict[str, Any]:
    return {"task_id": record.task_id, "submission_id": record.submission_id, "event": record.event}
