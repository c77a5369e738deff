"""Which end of a task follows from what a step raises."""

import threading
from dataclasses import fields
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from adapters.table import Written
from container.consumer.engines.base import AmbiguousError, Interrupted, WorkerShutsDown
from container.consumer.job import Job, LeaseLost
from container.consumer.lifecycle.finish import MAX_DELAY_SECONDS, Finisher
from container.consumer.lifecycle.outputs import Stored
from container.consumer.lifecycle.task_run import Ran, TaskRun
from container.consumer.settings import FIRST_DELAY_SECONDS
from container.consumer.telemetry.task_metrics import TaskMetrics
from container.consumer.telemetry.utilization import GpuUtilization
from domain.errors import ErrorCode, PermanentError, RetryableError
from domain.row import Row, Status
from domain.transition import Transition
from tests.support.deliveries import FakeQueue, delivery, message

UNAVAILABLE = RetryableError(ErrorCode.ENGINE_UNAVAILABLE, "gone")
THROTTLED = ClientError({"Error": {"Code": "Throttling", "Message": "SECRET"}}, "PutObject")


class FakeTable:
    """One row, changed by transitions as DynamoDB would."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.written: list[Transition] = []
        self.broken: Exception | None = None

    def write(self, _task_id: str, transition: Transition) -> Written:
        if self.broken:
            raise self.broken
        self.written.append(transition)
        if not transition.allowed(self.row.item):
            return Written(done=False, row=self.row)
        self.row = Row(transition.applied(self.row.item))
        return Written(done=True, row=self.row)


class World:
    """A job that runs, and what its finisher uses."""

    def __init__(self, *, attempts: int = 1) -> None:
        row = Row(
            {
                "id": "t",
                "submission_id": "s",
                "runtime": "r",
                "fence": "aaaa",
                "status": "running",
                "attempts": attempts,
                "worker": "w",
                "lease_until": "9999",
                "fences": {"aaaa"},
            }
        )
        self.table = FakeTable(row)
        self.job = Job(delivery("body"), message("t"), row)
        self.queue = FakeQueue()
        self.deleted = self.queue.deleted
        self.told: list[str] = []
        self.untold: Exception | None = None
        self.removed: list[Stored] = []
        self.shutting_down = threading.Event()
        self.finisher = Finisher(
            self.queue,
            self.table,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            TaskMetrics("ns", "r", GpuUtilization()),
            self.shutting_down,
            first_delay_seconds=FIRST_DELAY_SECONDS,
        )

    def notify(self, row: Row) -> None:
        if self.untold:
            raise self.untold
        self.told.append(row.status.value)

    def failure(self, _job: Job, _error: Any, _response: Any) -> Stored:
        return Stored(output="s3://b/out")

    def discard(self, _job: Job, stored: Stored, _row: Row | None) -> None:
        self.removed.append(stored)

    def end_by(self, error: Exception) -> None:
        with self.finisher.ending(self.job):
            raise error

    @property
    def status(self) -> Status:
        return self.table.row.status

    @property
    def code(self) -> str | None:
        error = self.table.row.item.get("error") or self.table.row.item.get("last_error")
        return error["code"] if error else None

    @property
    def delays(self) -> list[int]:
        return [seconds for _, seconds in self.queue.released]


@pytest.fixture
def world() -> World:
    return World()


def test_a_step_that_succeeds_ends_nothing(world: World) -> None:
    with world.finisher.ending(world.job):
        pass
    assert not world.job.done.is_set()
    assert world.table.written == []


def test_a_task_s_own_error_fails_it_tells_and_deletes_its_message(world: World) -> None:
    world.end_by(PermanentError(ErrorCode.NO_IMAGES, "none"))
    assert (world.status, world.code) == (Status.FAILED, "no_images")
    assert world.told == ["failed"]
    assert world.deleted == [world.job.delivery]
    assert world.job.done.is_set()


def test_a_passing_error_gives_the_task_back_later_and_spends_an_attempt(world: World) -> None:
    world.end_by(UNAVAILABLE)
    assert (world.status, world.table.row.attempts, world.code) == (Status.QUEUED, 1, "engine_unavailable")
    assert world.delays == [FIRST_DELAY_SECONDS]
    assert world.told == []


def test_the_delay_doubles_with_each_attempt_up_to_a_bound() -> None:
    later = World(attempts=3)
    later.end_by(UNAVAILABLE)
    assert later.delays == [4 * FIRST_DELAY_SECONDS]
    late = World(attempts=4)
    late.finisher.first_delay_seconds = 200
    late.end_by(UNAVAILABLE)
    assert late.delays == [MAX_DELAY_SECONDS]


def test_a_passing_error_fails_a_task_without_attempts_left() -> None:
    world = World(attempts=5)
    world.end_by(UNAVAILABLE)
    assert (world.status, world.code) == (Status.FAILED, "engine_unavailable")


def test_an_ambiguous_error_gets_one_more_attempt() -> None:
    error = AmbiguousError(ErrorCode.ENGINE_ERROR, "what?")
    first, second = World(attempts=1), World(attempts=2)
    first.end_by(error)
    second.end_by(error)
    assert (first.status, second.status) == (Status.QUEUED, Status.FAILED)


def test_a_worker_that_leaves_spends_no_attempt(world: World) -> None:
    world.end_by(WorkerShutsDown(ErrorCode.AWS_UNAVAILABLE, "leaving"))
    assert (world.status, world.table.row.attempts, world.delays) == (Status.QUEUED, 0, [0])


@pytest.mark.parametrize("error", [THROTTLED, EndpointConnectionError(endpoint_url="https://SECRET")])
def test_aws_out_of_order_is_a_passing_error_that_quotes_nothing(world: World, error: Exception) -> None:
    world.end_by(error)
    assert (world.status, world.code) == (Status.QUEUED, "aws_unavailable")
    assert "SECRET" not in str(world.table.row.item)


def test_a_bug_of_ours_is_a_passing_error(world: World) -> None:
    world.end_by(ZeroDivisionError())
    assert (world.status, world.code) == (Status.QUEUED, "internal_error")


def test_a_lost_lease_writes_nothing(world: World) -> None:
    world.end_by(LeaseLost("t"))
    assert world.table.written == []
    assert (world.queue.released, world.deleted, world.told) == ([], [], [])
    assert world.job.done.is_set()


@pytest.mark.parametrize("step", ["prepare", "start", "stop", "release", "finish"])
def test_no_step_is_taken_for_a_task_whose_lease_is_lost(world: World, step: str) -> None:
    world.job.lease_lost.set()
    names = {one.name for one in fields(TaskRun)}
    task_run = TaskRun(**(dict.fromkeys(names) | {"finisher": world.finisher}))  # type: ignore[arg-type]
    arguments = (world.job, Ran()) if step == "finish" else (world.job,)
    getattr(task_run, step)(*arguments)
    assert world.job.done.is_set()
    assert world.table.written == []


def test_an_interrupted_job_ends_by_who_interrupted_it() -> None:
    cancelled, leaving, stranger = World(), World(), World()
    cancelled.job.cancelled.set()
    leaving.shutting_down.set()
    for world in (cancelled, leaving, stranger):
        world.end_by(Interrupted())
    assert cancelled.status is Status.CANCELLED
    assert (leaving.status, leaving.table.row.attempts) == (Status.QUEUED, 0)
    assert (stranger.status, stranger.table.row.attempts) == (Status.QUEUED, 1)


def test_a_release_of_a_task_that_was_to_be_cancelled_cancels_it(world: World) -> None:
    world.table.row = Row(world.table.row.item | {"cancel_requested": "2026-11-22T17:00:00.000Z"})
    world.finisher.release(world.job, count_attempt=False)
    assert world.status is Status.CANCELLED


def test_an_outcome_that_comes_too_late_removes_what_was_stored(world: World) -> None:
    world.table.row = Row(world.table.row.item | {"fence": "bbbb"})
    stored = Stored(output="s3://b/out")
    with world.finisher.ending(world.job):
        world.finisher.completed(world.job, stored)
    assert world.removed == [stored]
    assert (world.told, world.deleted) == ([], [])


def test_an_outcome_that_could_not_be_told_leaves_its_message_for_redelivery(world: World) -> None:
    world.untold = THROTTLED
    with world.finisher.ending(world.job):
        world.finisher.completed(world.job, Stored(images=["s3://b/1"], output="s3://b/out"))
    assert world.status is Status.COMPLETED
    assert world.deleted == []
    assert world.delays == [FIRST_DELAY_SECONDS]


def test_a_task_that_cannot_be_ended_is_let_go_of(world: World) -> None:
    world.table.broken = THROTTLED
    world.end_by(PermanentError(ErrorCode.NO_IMAGES, "none"))
    assert world.job.done.is_set()
    assert world.told == []
