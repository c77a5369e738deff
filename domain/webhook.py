"""Webhooks: which events of a task are sent to a URL of its caller, and when a delivery is tried again."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from domain.clock import iso, parse
from domain.row import Status

FINAL_EVENTS: Final = (Status.COMPLETED.value, Status.FAILED.value, Status.CANCELLED.value)
EVENTS: Final = (*FINAL_EVENTS, Status.RUNNING.value)
"""The events that a caller can ask for: the statuses of a task, except `queued`."""

DELAYS_SECONDS: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800)
"""How long to wait after each failed attempt; the last attempt is a day after the first one. A receiver that
restarts is reached within seconds, and one that is repaired in the morning is reached too. SQS can hide a
message for 12 hours at most."""

ATTEMPT_SECONDS: Final = 15
"""How long a receiver may take to answer."""

RECORD_PREFIX: Final = "#webhook#"
"""Beginning of the ids of delivery records in the tasks' table; a task's id never begins with `#`."""

STATUS_GONE: Final = 410
"""The HTTP status by which a receiver refuses further attempts."""


@dataclass(frozen=True, slots=True)
class WebhookRules:
    """Which webhooks a deployment allows besides https on the public internet."""

    allow_http: bool = False
    allow_private: bool = False
    """Only for a pipeline on one machine: a caller could reach addresses of the network otherwise."""

    @classmethod
    def from_text(cls, text: str) -> "WebhookRules":
        """Read the value of the environment variable WEBHOOKS_ALLOW, such as `http,private`."""
        allowed = text.split(",")
        return cls(allow_http="http" in allowed, allow_private="private" in allowed)


DEFAULT_RULES: Final = WebhookRules()


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL, and the events that are sent to it."""

    url: str
    events: tuple[str, ...] = FINAL_EVENTS

    def as_dict(self) -> dict[str, Any]:
        """Return the webhook as JSON, for the task's digest."""
        return {"url": self.url, "events": sorted(self.events)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """The attempts so far to deliver one event of a submission."""

    task_id: str
    submission_id: str
    event: str
    url: str
    attempts: int = 0
    attempts_since: str | None = None
    """When the current series of attempts began; a caller can start another one."""
    series: int = 0
    """How many attempts the current series has had."""
    last_status: int | None = None
    """The receiver's last HTTP status, None if it did not answer."""
    next_attempt_at: str | None = None
    delivered_at: str | None = None
    given_up: bool = False

    @property
    def id(self) -> str:
        """Return the id of the record's row."""
        return record_id(self.submission_id, self.event)

    @property
    def webhook_id(self) -> str:
        """Return the value of the header `webhook-id`: the same for all attempts of this event."""
        return f"{self.submission_id}-{self.event}"

    @property
    def is_final(self) -> bool:
        """Return whether no further attempt follows."""
        return self.delivered_at is not None or self.given_up

    def after_attempt(self, status: int | None, now: datetime) -> "tuple[DeliveryRecord, int | None]":
        """Return the record after an attempt, and in how many seconds to try again (None: not again)."""
        series_began = self.attempts_since or iso(now)
        delay = self._delay(status)
        delivered = status is not None and 200 <= status < 300
        record = replace(
            self,
            attempts=self.attempts + 1,
            attempts_since=series_began,
            series=self.series + 1,
            last_status=status,
            next_attempt_at=iso(now + timedelta(seconds=delay)) if delay else None,
            delivered_at=iso(now) if delivered else None,
            given_up=delay is None and not delivered,
        )
        return record, delay

    def _delay(self, status: int | None) -> int | None:
        if status is not None and (200 <= status < 300 or status == STATUS_GONE):
            return None
        return DELAYS_SECONDS[self.series] if self.series < len(DELAYS_SECONDS) else None

    def seconds_until_next(self, now: datetime) -> int:
        """Return how many seconds are left until the next attempt, 0 if it is due."""
        if self.next_attempt_at is None:
            return 0
        return max(0, round((parse(self.next_attempt_at) - now).total_seconds()))

    def with_new_series(self) -> "DeliveryRecord":
        """Return the record with a new series of attempts; `attempts` still counts the earlier ones."""
        return replace(
            self, attempts_since=None, series=0, next_attempt_at=None, delivered_at=None, given_up=False
        )

    def as_response(self) -> dict[str, Any]:
        """Return the delivery for an API response, without the URL's query, which may contain a secret."""
        parts = urlsplit(self.url)
        return {
            "event": self.event,
            "url": f"{parts.scheme}://{parts.netloc}{parts.path}",
            "delivered_at": self.delivered_at,
            "attempts": self.attempts,
            "last_status": self.last_status,
            "next_attempt_at": self.next_attempt_at,
            "given_up": self.given_up,
        }


def record_id(submission_id: str, event: str) -> str:
    """Return the id of the row with the delivery record of an event."""
    return f"{RECORD_PREFIX}{submission_id}#{event}"
