"""Workers count each other in the emulator's table."""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from adapters.listing import Listing
from adapters.workers import WorkerRows
from container.consumer.receiving.registry import WorkerRegistry
from domain.clock import iso, iso_after, now
from domain.estimate import Workers, kind_key
from domain.row import Status
from local.emulator import Emulator
from tests.support.clock import FakeMonotonic
from tests.support.deployment import make_table

Register = Callable[[str], WorkerRegistry]


@pytest.fixture
def register(aws: Emulator) -> Register:
    """Return a function that makes the registry of a worker."""
    name = f"registry-{secrets.token_hex(4)}"
    dynamodb = aws.client("dynamodb")
    make_table(dynamodb, name)
    return lambda worker: WorkerRegistry(dynamodb, name, runtime="r", worker=worker)


def test_a_worker_counts_itself_from_the_start(register: Register) -> None:
    assert register("a").count == 1


def test_workers_count_each_other(register: Register) -> None:
    first, second = register("a"), register("b")
    for registry in (first, second, first):
        registry.renew(seconds=60)
    assert (first.count, second.count) == (2, 2)


def test_a_worker_that_has_shut_down_is_no_longer_counted(register: Register) -> None:
    first, second = register("a"), register("b")
    first.renew(seconds=60)
    second.renew(seconds=60)
    first.unregister()
    second.renew(seconds=60)
    assert second.count == 1


def test_a_worker_that_died_is_counted_until_its_entry_expires(register: Register) -> None:
    dead, alive = register("a"), register("b")
    dead.renew(seconds=0.001)
    time.sleep(0.01)
    alive.renew(seconds=60)
    assert alive.count == 1


def test_workers_of_another_runtime_are_not_counted(aws: Emulator) -> None:
    name, dynamodb = f"registry-{secrets.token_hex(4)}", aws.client("dynamodb")
    make_table(dynamodb, name)
    registry, other_registry = (
        WorkerRegistry(dynamodb, name, runtime=runtime, worker="w") for runtime in ("r", "r#workers")
    )
    registry.renew(seconds=60)
    other_registry.renew(seconds=60)
    assert (registry.count, other_registry.count) == (1, 1)


def test_the_sweep_and_the_lists_do_not_see_workers(aws: Emulator) -> None:
    name, dynamodb = f"registry-{secrets.token_hex(4)}", aws.client("dynamodb")
    make_table(dynamodb, name)
    WorkerRegistry(dynamodb, name, runtime="r", worker="w").renew(seconds=-60)
    assert list(Listing(dynamodb, name).pending("r", before=iso(now()))) == []
    assert Listing(dynamodb, name).newest("r", Status.QUEUED, below=None, limit=10) == []


class TestWhatTheApiReads:
    """`adapters.workers`: what workers write about themselves."""

    @pytest.fixture
    def table(self, aws: Emulator) -> str:
        name = f"registry-{secrets.token_hex(4)}"
        make_table(aws.client("dynamodb"), name)
        return name

    @pytest.fixture
    def read(self, aws: Emulator, table: str) -> Callable[[], Workers]:
        rows = WorkerRows(aws.client("dynamodb"), table)
        return lambda: rows.read("r")

    @pytest.fixture
    def register(self, aws: Emulator, table: str) -> Register:
        return lambda worker: WorkerRegistry(
            aws.client("dynamodb"), table, runtime="r", worker=worker, clock=FakeMonotonic()
        )

    def test_a_worker_counts_as_starting_until_it_is_ready(
        self, register: Register, read: Callable[[], Workers]
    ) -> None:
        worker, other_registry = register("a"), register("b")
        worker.announce(seconds=60)
        other_registry.renew(seconds=60)
        assert (read().running, len(read().starting_seconds), other_registry.count) == (1, 1, 1)
        assert 0 <= read().starting_seconds[0] < 60
        worker.renew(seconds=60)
        assert (read().running, read().starting_seconds) == (2, [])

    def test_a_worker_whose_engine_starts_again_counts_as_starting_again(
        self, register: Register, read: Callable[[], Workers]
    ) -> None:
        worker = register("a")
        worker.renew(seconds=60)
        worker.announce(seconds=60)
        assert (read().running, len(read().starting_seconds)) == (0, 1)

    def test_a_worker_whose_engine_starts_again_counts_from_then_on(
        self, register: Register, read: Callable[[], Workers]
    ) -> None:
        worker = register("a")
        worker._starting_since = iso_after(now(), -1000)  # it has run for a while
        worker.renew(seconds=60)
        worker.announce(seconds=60)
        assert read().starting_seconds[0] < 60
        worker._starting_since = iso_after(now(), -100)
        worker.announce(seconds=60)
        assert read().starting_seconds[0] >= 100, "the second announcement is of the same start"

    def test_a_heartbeat_during_the_end_leaves_no_row(
        self, aws: Emulator, table: str, read: Callable[[], Workers]
    ) -> None:
        client = aws.client("dynamodb")
        is_beating, may_write = threading.Event(), threading.Event()

        class Slow:
            def update_item(self, **arguments: Any) -> None:
                if "speeds" in arguments["UpdateExpression"]:
                    is_beating.set()
                    may_write.wait(10)
                client.update_item(**arguments)

            def query(self, **arguments: Any) -> Any:
                return client.query(**arguments)

        worker = WorkerRegistry(Slow(), table, runtime="r", worker="a")  # type: ignore[arg-type]
        beat = threading.Thread(target=worker.renew, kwargs={"seconds": 60})
        end = threading.Thread(target=worker.unregister)
        beat.start()
        assert is_beating.wait(10)
        end.start()
        end.join(0.3)  # long enough for an end that does not wait for the heartbeat
        may_write.set()
        beat.join()
        end.join()
        worker.renew(seconds=60)
        worker.announce(seconds=60)
        assert (read().running, read().starting_seconds) == (0, [])

    def test_what_a_worker_measured_remains_after_its_end(
        self, register: Register, read: Callable[[], Workers]
    ) -> None:
        worker = register("a")
        worker.renew(seconds=60, speeds={"text-to-image": 1.25e-7})
        assert read().speeds == [{kind_key("text-to-image"): 1.25e-7}]
        worker.unregister()
        left = read()
        assert (left.running, left.speeds) == (0, [])
        assert left.former_speeds == [{kind_key("text-to-image"): 1.25e-7}]

    def test_a_worker_tells_how_long_it_took_to_start(
        self, aws: Emulator, table: str, read: Callable[[], Workers]
    ) -> None:
        clock = FakeMonotonic()
        worker = WorkerRegistry(aws.client("dynamodb"), table, runtime="r", worker="w", clock=clock)
        clock.forward(75)
        worker.renew(seconds=60)
        clock.forward(1000)
        worker.renew(seconds=60)
        assert read().start_seconds == [75.0]

    def test_a_worker_that_ends_before_it_was_ready_leaves_nothing(
        self, register: Register, read: Callable[[], Workers]
    ) -> None:
        worker = register("a")
        worker.announce(seconds=60)
        worker.unregister()
        left = read()
        assert (left.running, left.starting_seconds, left.start_seconds) == (0, [], [])
