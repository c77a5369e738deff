"""The scaler sets the desired count of each service once, also if several checks run at the same time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from adapters.queues import Depth
from domain.scaling import ScalingPolicy
from functions.scale.logic import RuntimeService, Scaler, ScalingState, ServiceState, TooManyConflictsError

SCALING_POLICY = ScalingPolicy(queue_length=10, minimum=0, maximum=5, cooldown_seconds=60)


@dataclass
class FakeServices:
    """Services with their desired counts; reading that of a service in `missing` fails."""

    counts: dict[str, int]
    missing: set[str] = field(default_factory=set)
    updating: bool = False
    calls: list[tuple[str, int]] = field(default_factory=list)
    before_set: Callable[[], object] = lambda: None

    def state(self, service: str) -> ServiceState:
        if service in self.missing:
            raise LookupError(service)
        return ServiceState(desired=self.counts[service], updating=self.updating)

    def set_desired(self, service: str, count: int) -> None:
        self.before_set()
        self.calls.append((service, count))
        self.counts[service] = count


@dataclass
class FakeScalingStates:
    """ScalingStates that are replaced by the next version only, as in DynamoDB."""

    state_by_runtime: dict[str, ScalingState] = field(default_factory=dict)
    before_replace: Callable[[], object] = lambda: None

    def read(self, runtime: str) -> ScalingState:
        return self.state_by_runtime.get(runtime, ScalingState())

    def replace(self, runtime: str, state: ScalingState) -> bool:
        self.before_replace()
        if state.version != self.read(runtime).version + 1:
            return False
        self.state_by_runtime[runtime] = state
        return True


class Setup:
    """A scaler of two runtimes, `a` with no GPU and `b` with three; `waiting` are their messages."""

    def __init__(self) -> None:
        self.services = FakeServices({"service-a": 0, "service-b": 3})
        self.states = FakeScalingStates()
        self.waiting = {"a": 0, "b": 30}
        self.now = 1_000_000.0
        self.delays: list[int] = []
        self.policy = SCALING_POLICY
        self.scaler = self.new_scaler()

    def new_scaler(self) -> Scaler:
        """Return a scaler as another instance of the function creates it."""
        return Scaler(
            {
                name: RuntimeService(service=f"service-{name}", queue_url=name, policy=self.policy)
                for name in ("a", "b")
            },
            services=self.services,
            depth=lambda url: Depth(waiting=self.waiting[url], in_flight=0),
            states=self.states,
            clock=lambda: self.now,
            check_again=self.delays.append,
        )


@pytest.fixture
def setup() -> Setup:
    return Setup()


def test_submitted_tasks_start_as_many_gpus_as_they_need(setup: Setup) -> None:
    setup.waiting["a"] = 1000
    assert setup.scaler.check_submitted(["a", "a", "gone"]) == {"a": 5}
    assert setup.services.calls == [("service-a", 5)]


def test_the_only_worker_of_a_large_service_gets_a_second_one_while_it_is_updated(setup: Setup) -> None:
    setup.policy = ScalingPolicy(queue_length=10, minimum=0, maximum=20, cooldown_seconds=60)
    setup.services.counts["service-a"] = setup.waiting["a"] = 1
    assert setup.new_scaler().check_submitted(["a"]) == {"a": 1}
    setup.services.updating = True
    assert setup.new_scaler().check_submitted(["a"]) == {"a": 2}


def test_a_check_that_changes_nothing_writes_nothing(setup: Setup) -> None:
    assert setup.scaler.check_all() == {"a": 0, "b": 3}
    assert setup.services.calls == []
    assert setup.states.state_by_runtime == {}


def test_gpus_are_stopped_by_a_later_check_of_another_instance(setup: Setup) -> None:
    setup.waiting["b"] = 10
    assert setup.scaler.check_all()["b"] == 3
    setup.now += 60
    assert setup.new_scaler().check_all()["b"] == 1
    assert setup.services.calls == [("service-b", 1)]


def test_of_two_checks_at_the_same_time_one_sets_the_count(setup: Setup) -> None:
    """The other one has counted the messages earlier, and would stop GPUs that are needed now."""
    setup.waiting["a"] = 15

    def conflict() -> None:
        setup.states.before_replace = lambda: None
        setup.waiting["a"] = 45
        assert setup.new_scaler().check_submitted(["a"]) == {"a": 5}

    setup.states.before_replace = conflict
    setup.scaler.check_submitted(["a"])
    assert setup.services.calls == [("service-a", 5)]


def test_a_check_with_a_conflict_still_orders_what_it_has_counted(setup: Setup) -> None:
    """The other one counted before most of the tasks arrived, and no later event starts another check."""
    setup.waiting["a"] = 5

    def conflict() -> None:
        setup.states.before_replace = lambda: None
        setup.new_scaler().check_submitted(["a"])
        setup.waiting["a"] = 45

    setup.states.before_replace = conflict
    assert setup.scaler.check_submitted(["a"]) == {"a": 5}
    assert setup.services.calls == [("service-a", 1), ("service-a", 5)]


def test_a_slow_call_does_not_replace_the_count_of_a_later_check(setup: Setup) -> None:
    setup.waiting["a"] = 15

    def slow() -> None:
        setup.services.before_set = lambda: None
        setup.waiting["a"] = 45
        assert setup.new_scaler().check_submitted(["a"]) == {"a": 5}

    setup.services.before_set = slow
    assert setup.scaler.check_submitted(["a"]) == {"a": 5}
    assert setup.services.calls[-1] == ("service-a", 5)


def test_a_check_that_always_conflicts_fails_instead_of_trying_for_ever(setup: Setup) -> None:
    setup.waiting["a"] = 15

    def conflict() -> None:
        state_by_runtime = setup.states.state_by_runtime
        state_by_runtime["a"] = ScalingState(version=state_by_runtime.get("a", ScalingState()).version + 1)

    setup.states.before_replace = conflict
    with pytest.raises(ExceptionGroup) as raised:
        setup.scaler.check_submitted(["a"])
    assert isinstance(raised.value.exceptions[0], TooManyConflictsError)
    assert setup.services.calls == []


def test_a_submitted_task_that_is_not_counted_yet_is_counted_seconds_later(setup: Setup) -> None:
    assert setup.scaler.check_submitted(["a"]) == {"a": 0}
    assert setup.delays == [5]
    setup.waiting["a"] = 1
    assert setup.scaler.check_all()["a"] == 1
    assert setup.delays == [5], "the second check does not cause a third one"


def test_a_check_that_ended_before_it_set_the_count_is_made_up_for(setup: Setup) -> None:
    setup.waiting["a"] = 20

    def ended() -> None:
        raise ConnectionError

    setup.services.before_set = ended
    with pytest.raises(ExceptionGroup):
        setup.scaler.check_submitted(["a"])
    setup.services.before_set = lambda: None
    assert setup.scaler.check_submitted(["a"]) == {"a": 2}


def test_a_runtime_that_cannot_be_checked_does_not_affect_the_others(setup: Setup) -> None:
    setup.services.missing.add("service-a")
    setup.waiting["b"] = 45
    with pytest.raises(ExceptionGroup) as raised:
        setup.scaler.check_all()
    assert [str(error) for error in raised.value.exceptions] == ["service-a"]
    assert setup.services.calls == [("service-b", 5)]


def test_checks_are_more_frequent_while_there_are_gpus(setup: Setup) -> None:
    setup.scaler.check_each_minute()
    assert setup.delays == [15, 30, 45]
    setup.delays.clear()
    setup.services.counts["service-b"] = setup.waiting["b"] = 0
    setup.scaler.check_each_minute()
    assert setup.delays == []


def test_a_runtime_that_cannot_be_checked_does_not_make_the_checks_of_others_less_frequent(
    setup: Setup,
) -> None:
    setup.services.missing.add("service-a")
    with pytest.raises(ExceptionGroup):
        setup.scaler.check_each_minute()
    assert setup.delays == [15, 30, 45]


def test_the_entry_point_checks_the_runtimes_that_the_messages_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLUSTER", "TASK_TABLE", "EVENTS_QUEUE_URL"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SERVICES", "{}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    from functions.scale import handler as entry

    checked: list[list[str] | str] = []
    fake = SimpleNamespace(
        check_submitted=lambda names: checked.append(list(names)),
        check_all=lambda: checked.append("all"),
        check_each_minute=lambda: checked.append("minute"),
    )
    monkeypatch.setattr(entry, "_scaler", fake)
    submitted = {"messageAttributes": {"runtime": {"stringValue": "a"}}}
    for event in ({"Records": [submitted]}, {"Records": [submitted, {"messageAttributes": {}}]}, {}):
        entry.handler(event, None)
    assert checked == [["a"], "all", "minute"]
