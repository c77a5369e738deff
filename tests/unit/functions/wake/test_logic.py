"""The waker: from zero to one, and nothing else."""

import json
from dataclasses import dataclass, field

import pytest

from functions.wake.logic import CHECK_SECONDS, RuntimeService, Waker


@dataclass
class FakeServices:
    """Services by name, with their desired count; `fails` answers with an error once."""

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
class Parts:
    """A waker of two runtimes, `a` at zero and `b` at three, and what it talks to."""

    services: FakeServices = field(default_factory=lambda: FakeServices({"service-a": 0, "service-b": 3}))
    queues: FakeQueues = field(default_factory=lambda: FakeQueues({"queue-a": 0, "queue-b": 0}))
    clock: FakeClock = field(default_factory=FakeClock)

    def waker(self) -> Waker:
        """Return a waker of these parts."""
        runtimes = {
            name: RuntimeService(service=f"service-{name}", queue_url=f"queue-{name}") for name in "ab"
        }
        return Waker(runtimes, services=self.services, queues=self.queues, clock=self.clock)


@pytest.fixture
def parts() -> Parts:
    """Return fresh parts."""
    return Parts()


def test_a_published_task_starts_its_sleeping_service(parts: Parts) -> None:
    """One task for a runtime at zero asks for one GPU, whatever the queue says by then."""
    assert parts.waker().start_published(["a"]) == ["a"]
    assert parts.services.started == ["service-a"]


def test_a_service_that_runs_is_left_to_the_scaling(parts: Parts) -> None:
    """Three tasks stay three."""
    assert parts.waker().start_published(["b"]) == []
    assert parts.services.counts["service-b"] == 3


def test_a_burst_is_looked_at_once(parts: Parts) -> None:
    """Hundreds of messages in ten seconds are one question to ECS."""
    waker = parts.waker()
    waker.start_published(["b"] * 50)
    parts.clock.now += CHECK_SECONDS - 0.1
    waker.start_published(["b"])
    assert parts.services.asked == ["service-b"]


def test_after_ten_seconds_it_looks_again(parts: Parts) -> None:
    """A service that went to zero meanwhile is started."""
    waker = parts.waker()
    waker.start_published(["b"])
    parts.services.counts["service-b"] = 0
    parts.clock.now += CHECK_SECONDS
    assert waker.start_published(["b"]) == ["b"]


def test_one_runtimes_burst_hides_no_other(parts: Parts) -> None:
    """The ten seconds are counted for each runtime."""
    waker = parts.waker()
    waker.start_published(["b"])
    assert waker.start_published(["a"]) == ["a"]


def test_a_look_that_failed_does_not_count(parts: Parts) -> None:
    """SNS delivers again after an error, and that delivery looks."""
    parts.services.fails = True
    waker = parts.waker()
    with pytest.raises(ConnectionError):
        waker.start_published(["a"])
    assert waker.start_published(["a"]) == ["a"]


def test_an_unknown_runtime_is_nobodys(parts: Parts) -> None:
    """The topic may carry what another stack listens to."""
    assert parts.waker().start_published(["elsewhere"]) == []
    assert parts.services.asked == []


def test_the_schedule_wakes_what_has_a_backlog(parts: Parts) -> None:
    """The net under a lost event: a backlog before a service at zero."""
    parts.queues.backlogs = {"queue-a": 2, "queue-b": 7}
    assert parts.waker().start_waiting() == ["a"]
    assert parts.services.started == ["service-a"]


def test_the_schedule_leaves_empty_queues_asleep(parts: Parts) -> None:
    """No backlog, no GPU."""
    assert parts.waker().start_waiting() == []
    assert parts.services.asked == []


def test_the_schedule_looks_even_right_after_an_event(parts: Parts) -> None:
    """The net may not be held back by the ten seconds."""
    waker = parts.waker()
    waker.start_published(["a"])
    parts.services.counts["service-a"] = 0
    parts.queues.backlogs["queue-a"] = 1
    assert waker.start_waiting() == ["a"]


def test_the_handler_reads_both_kinds_of_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """SNS names the runtime in an attribute; a message without one names none."""
    monkeypatch.setenv("SERVICES", json.dumps({"a": {"service": "service-a", "queueUrl": "queue-a"}}))
    monkeypatch.setenv("CLUSTER", "cluster")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    from functions.wake.handler import published_for

    with_runtime = {"Sns": {"MessageAttributes": {"runtime": {"Type": "String", "Value": "a"}}}}
    assert published_for({"Records": [with_runtime, {"Sns": {"MessageAttributes": {}}}]}) == ["a"]
    assert published_for({"source": "aws.events"}) == []
