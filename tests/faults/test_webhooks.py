"""No webhook event is lost, whichever process is killed or fails: it arrives, or its record says given up."""

import heapq
import os
import random
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import pytest

from adapters.presigned import PresignedLinks
from adapters.webhook_records import WebhookRecords
from domain.webhook import Webhook, WebhookRules
from functions.webhooks.delivery import Deliverer
from functions.webhooks.receiver import WebhookSender
from local.emulator import Emulator
from local.receiver import Request, run_receiver
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, deploy

EVENTS: Final = 200
KILL_FRACTION: Final = 0.05
"""The fraction of the delivering function's calls at which it is killed."""
REDELIVERY_SECONDS: Final = 270
"""After this time, SQS delivers the message of a killed function again."""
STATUSES: Final = (200, 204, 500, 503, 429, 301, 404, 410, 0)
CALLBACK: Final = {
    "id": "t",
    "runtime": "r",
    "result": True,
    "status": "completed",
    "image_url": [],
    "output_url": None,
    "context": None,
    "error": None,
}


@pytest.fixture
def deployment(aws: Emulator) -> Deployment:
    """Create resources for this test."""
    return deploy(aws)


class Killed(BaseException):
    """The process of the function is killed at this point."""


@dataclass
class KillableFunction:
    """A function that delivers webhooks and is killed before or after any call, as `killer` decides."""

    deployment: Deployment
    killer: Callable[[str], None]
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.records = WebhookRecords(self.deployment.dynamodb, self.deployment.environment.task_table)
        sender = WebhookSender(rules=WebhookRules(allow_http=True, allow_private=True), seconds=5)
        killable_dynamodb: Any = _KillableClient(self.deployment.dynamodb, self.killer)
        self.deliver = Deliverer(
            records=WebhookRecords(killable_dynamodb, self.deployment.environment.task_table),
            links=PresignedLinks(self.deployment.s3, clock=self.clock),
            secrets=lambda: ["A" * 32],
            post=_with_kills("post", sender.post, self.killer),
            clock=self.clock,
        )

    def request_webhook(self, submission_id: str, url: str) -> None:
        """Record that the outcome of a submission is sent to a URL."""
        self.records.create(Webhook(url), task_id="t", submission_id=submission_id, now=self.clock())


class _KillableClient:
    def __init__(self, real: Any, killer: Callable[[str], None]) -> None:
        self._real = real
        self._killer = killer

    def __getattr__(self, name: str) -> Any:
        return _with_kills(name, getattr(self._real, name), self._killer)


def _with_kills(name: str, call: Callable[..., Any], killer: Callable[[str], None]) -> Callable[..., Any]:
    def called(*arguments: Any, **options: Any) -> Any:
        killer(f"before {name}")
        result = call(*arguments, **options)
        killer(f"after {name}")
        return result

    return called


POINTS = [f"{when} {call}" for call in ("get_item", "post", "put_item") for when in ("before", "after")]


@pytest.mark.parametrize("point", POINTS)
def test_a_function_that_is_killed_at_any_point_delivers_the_event_after_all(
    deployment: Deployment, point: str
) -> None:
    points_left = [point]

    def killer(here: str) -> None:
        if here in points_left:
            points_left.remove(here)
            raise Killed

    function = KillableFunction(deployment, killer)
    with run_receiver() as receiver:
        function.request_webhook("s", receiver.url)
        with pytest.raises(Killed):
            function.deliver(CALLBACK, "s")
        assert function.deliver(CALLBACK, "s") is None
        arrived = [request.headers["webhook-id"] for request in receiver.requests]
    record = function.records.read("s", "completed")
    assert record is not None
    assert record.delivered_at is not None
    assert set(arrived) == {"s-completed"}
    assert len(arrived) == (2 if point in ("after post", "before put_item") else 1)


def test_every_event_arrives_or_is_given_up_however_receivers_and_the_function_fail(
    deployment: Deployment,
) -> None:
    seed = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))
    print(f"\nseed {seed}")
    random_numbers = random.Random(seed)
    statuses_by_webhook: dict[str, list[int]] = {}
    lock = threading.Lock()

    def status_for(request: Request) -> int:
        with lock:
            status = random_numbers.choice(STATUSES)
            statuses_by_webhook.setdefault(request.headers["webhook-id"], []).append(status)
            return status

    def killer(_point: str) -> None:
        with lock:
            if random_numbers.random() < KILL_FRACTION:
                raise Killed

    function = KillableFunction(deployment, killer)
    submissions = [f"s{number}" for number in range(EVENTS)]
    with run_receiver(status_for) as receiver:
        for submission_id in submissions:
            function.request_webhook(submission_id, receiver.url)
        queue = [(function.clock(), submission_id) for submission_id in submissions]
        heapq.heapify(queue)
        kill_count = 0
        while queue:
            due, submission_id = heapq.heappop(queue)
            function.clock.time = max(function.clock.time, due)
            try:
                seconds = function.deliver(CALLBACK, submission_id)
            except Killed:
                seconds, kill_count = REDELIVERY_SECONDS, kill_count + 1
            if seconds is not None:
                heapq.heappush(queue, (function.clock() + timedelta(seconds=seconds), submission_id))
    assert kill_count > EVENTS * KILL_FRACTION
    outcome_counts: Counter[str] = Counter()
    for submission_id in submissions:
        record = function.records.read(submission_id, "completed")
        assert record is not None
        statuses = statuses_by_webhook[record.webhook_id]
        was_accepted = any(200 <= status < 300 for status in statuses)
        assert record.is_final
        assert (record.delivered_at is not None) <= was_accepted, (
            f"seed {seed}: {submission_id} was not received"
        )
        assert was_accepted or record.given_up
        assert record.attempts <= len(statuses), f"seed {seed}: an attempt was recorded that was not made"
        outcome_counts["delivered" if record.delivered_at else "given up"] += 1
    assert outcome_counts["delivered"] > EVENTS // 2
    request_count = sum(map(len, statuses_by_webhook.values()))
    print(f"{dict(outcome_counts)}, killed {kill_count} times, {request_count} requests")
