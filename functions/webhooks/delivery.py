"""Make one attempt to deliver an event, and record what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from adapters.presigned import PresignedLinks
from adapters.webhook_records import WebhookRecords
from domain.canonical import compact_json
from domain.clock import iso, now
from domain.metrics import WEBHOOKS_DELIVERED, WEBHOOKS_GIVEN_UP
from domain.webhook import GONE, DeliveryRecord
from functions.log import logger
from functions.measure import count
from functions.webhooks.receiver import NoAnswer
from functions.webhooks.signature import signature_header


class Post(Protocol):
    """Sends a request to a receiver."""

    def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Return the status of the answer; raise NoAnswer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliverer:
    """Delivers events at least once, in no particular order."""

    records: WebhookRecords
    links: PresignedLinks
    secrets: Callable[[], list[str]]
    post: Post
    clock: Callable[[], datetime] = now

    def __call__(self, callback: dict[str, Any], submission_id: str) -> int | None:
        """Return in how many seconds the event must be tried again, None if it is settled.

        The attempt comes before its record: if this function dies between both, the event is sent twice, and
        the receiver recognizes it by its `webhook-id`.
        """
        record = self.records.read(submission_id, str(callback["status"]))
        if record is None or record.is_final:
            return None
        if seconds := record.seconds_until_next(self.clock()):
            return seconds  # delivered early, because the queue's timeout was not changed in time
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
        except NoAnswer as error:
            logger.info("a receiver did not answer", extra={**_names(record), "reason": str(error)})
            return None

    def _data(self, callback: dict[str, Any]) -> dict[str, Any]:
        output = callback.get("output_url")
        links = {
            "images": [self.links.get(uri) for uri in callback["image_url"]],
            "output": self.links.get(output) if output else None,
        }
        return callback | {"links": links}

    def _report(self, record: DeliveryRecord, *, runtime: str) -> None:
        names = _names(record) | {"attempts": record.attempts, "last_status": record.last_status}
        if record.delivered_at is not None:
            count(WEBHOOKS_DELIVERED, runtime=runtime, **_names(record))
            logger.info("webhook delivered", extra=names)
        elif record.given_up and record.last_status == GONE:
            logger.info("the receiver wants no more webhooks", extra=names)
        elif record.given_up:
            count(WEBHOOKS_GIVEN_UP, runtime=runtime, **_names(record))
            logger.warning("webhook given up", extra=names)
        else:
            logger.info("webhook not delivered yet", extra=names | {"next": record.next_attempt_at})


def _names(record: DeliveryRecord) -> dict[str, Any]:
    return {"task_id": record.task_id, "submission_id": record.submission_id, "event": record.event}
