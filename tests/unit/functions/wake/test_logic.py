"""The waker: it starts services at zero and does nothing else."""

import json
from dataclasses import dataclass, field

import pytest

from functions.wake.logic import CHECK_SECONDS, RuntimeService, Waker


@dataclass
class FakeServices:
    """Services by name with their desired count; with `fails`, the next call raises an error."""

    counts: dict[str, int]
    asked: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    fails: bool = False

    def desired(self, service: str) -> int:
        """Return the count, or fail once."""
        self.asked.append(service)
        if self.fails:
            self.fails = False
            raise ConnectionError
        return self.counts[service]

    def start_one(self, service: str) -> None:
        """Set the count to one."""
        self.started.append(service)
        self.counts[service] = 1


@dataclass
class FakeQueues:
    """Backlogs by URL."""

    backlogs: dict[str, int]

    def backlog(self, queue_url: str) -> int:
        """Return the backlog."""
        return self.backlogs[queue_url]


@dataclass
class FakeClock:
    """A clock that stands still until it is set."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass
class Fixture:
    """A waker of two runtimes, `a` at zero and `b` at three, with its collaborators."""

    services: FakeServices = field(default_factory=lambda: FakeServices({"service-a": 0, "service-b": 3}))
    queues: FakeQueues = field(default_factory=lambda: FakeQueues({"queue-a": 0, "queue-b": 0}))
    clock: FakeClock = field(default_factory=FakeClock)

    def waker(self) -> Waker:
        """Return a waker that uses these fakes."""
        runtimes = {
            name: RuntimeService(service=f"service-{name}", queue_url=f"queue-{name}") for name in "ab"
        }
        return Waker(runtimes, services=self.services, queues=self.queues, clock=self.clock)


@pytest.fixture
def fixture() -> Fixture:
    """Return new fakes."""
    return Fixture()


def test_a_published_task_starts_a_service_at_zero(fixture: Fixture) -> None:
    assert fixture.waker().start_published(["a"]) == ["a"]
    assert fixture.services.started == ["service-a"]


def test_a_service_above_zero_is_left_to_auto_scaling(fixture: Fixture) -> None:
    assert fixture.waker().start_published(["b"]) == []
    assert fixture.services.counts["service-b"] == 3


def test_many_messages_within_ten_seconds_cost_one_call_to_ecs(fixture: Fixture) -> None:
    waker = fixture.waker()
    waker.start_published(["b"] * 50)
    fixture.clock.now += CHECK_SECONDS - 0.1
    waker.start_published(["b"])
    assert fixture.services.asked == ["service-b"]


def test_after_ten_seconds_the_service_is_checked_again(fixture: Fixture) -> None:
    waker = fixture.waker()
    waker.start_published(["b"])
    fixture.services.counts["service-b"] = 0
    fixture.clock.now += CHECK_SECONDS
    assert waker.start_published(["b"]) == ["b"]


def test_the_ten_seconds_are_counted_per_runtime(fixture: Fixture) -> None:
    waker = fixture.waker()
    waker.start_published(["b"])
    assert waker.start_published(["a"]) == ["a"]


def test_a_failed_check_is_repeated_at_the_next_delivery(fixture: Fixture) -> None:
    fixture.services.fails = True
    waker = fixture.waker()
    with pytest.raises(ConnectionError):
        waker.start_published(["a"])
    assert waker.start_published(["a"]) == ["a"]


def test_an_unknown_runtime_is_ignored(fixture: Fixture) -> None:
    """Another stack may listen to the same topic."""
    assert fixture.waker().start_published(["elsewhere"]) == []
    assert fixture.services.asked == []


def test_the_schedule_starts_services_at_zero_with_a_backlog(fixture: Fixture) -> None:
    fixture.queues.backlogs = {"queue-a": 2, "queue-b": 7}
    assert fixture.waker().start_waiting() == ["a"]
    assert fixture.services.started == ["service-a"]


def test_the_schedule_starts_no_service_without_a_backlog(fixture: Fixture) -> None:
    assert fixture.waker().start_waiting() == []
    assert fixture.services.asked == []


def test_the_schedule_checks_even_within_ten_seconds_of_an_event(fixture: Fixture) -> None:
    waker = fixture.waker()
    waker.start_published(["a"])
    fixture.services.counts["service-a"] = 0
    fixture.queues.backlogs["queue-a"] = 1
    assert waker.start_waiting() == ["a"]


def test_the_handler_reads_events_of_sns_and_of_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICES", json.dumps({"a": {"service": "service-a", "queueUrl": "queue-a"}}))
    monkeypatch.setenv("CLUSTER", "cluster")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    from functions.wake.handler import published_for

    with_runtime = {"Sns": {"MessageAttributes": {"runtime": {"Type": "String", "Value": "a"}}}}
    assert published_for({"Records": [with_runtime, {"Sns": {"MessageAttributes": {}}}]}) == ["a"]
    assert published_for({"source": "aws.events"}) == []
