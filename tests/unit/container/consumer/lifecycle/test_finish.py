"""How a task ends, depending on what a step raises."""

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
from container.consumer.lifecycle.task_run import RunResult, TaskRun
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
    """A table with one row, which transitions change as in DynamoDB."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.writes: list[Transition] = []
        self.write_error: Exception | None = None

    def write(self, _task_id: str, transition: Transition) -> Written:
        if self.write_error:
            raise self.write_error
        self.writes.append(transition)
        if not transition.is_allowed(self.row.item):
            return Written(done=False, row=self.row)
        self.row = Row(transition.apply_to(self.row.item))
        return Written(done=True, row=self.row)


class Setup:
    """A running job, and a finisher with its collaborators."""

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
        self.notified: list[str] = []
        self.notify_error: Exception | None = None
        self.discarded: list[Stored] = []
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
        if self.notify_error:
            raise self.notify_error
        self.notified.append(row.status.value)

    def store_failure(self, _job: Job, _error: Any, _response: Any) -> Stored:
        return Stored(output="s3://b/out")

    def discard(self, _job: Job, stored_objects: Stored, _row: Row | None) -> None:
        self.discarded.append(stored_objects)

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
def setup() -> Setup:
    return Setup()


def test_a_successful_step_does_not_end_the_task(setup: Setup) -> None:
    with setup.finisher.ending(setup.job):
        pass
    assert not setup.job.done.is_set()
    assert setup.table.writes == []


def test_a_permanent_error_fails_the_task_sends_its_callback_and_deletes_its_message(setup: Setup) -> None:
    setup.end_by(PermanentError(ErrorCode.NO_IMAGES, "none"))
    assert (setup.status, setup.code) == (Status.FAILED, "no_images")
    assert setup.notified == ["failed"]
    assert setup.deleted == [setup.job.delivery]
    assert setup.job.done.is_set()


def test_a_retryable_error_releases_the_task_with_a_delay_and_counts_an_attempt(setup: Setup) -> None:
    setup.end_by(UNAVAILABLE)
    assert (setup.status, setup.table.row.attempts, setup.code) == (Status.QUEUED, 1, "engine_unavailable")
    assert setup.delays == [FIRST_DELAY_SECONDS]
    assert setup.notified == []


def test_the_delay_doubles_with_each_attempt_up_to_a_maximum() -> None:
    third_attempt = Setup(attempts=3)
    third_attempt.end_by(UNAVAILABLE)
    assert third_attempt.delays == [4 * FIRST_DELAY_SECONDS]
    fourth_attempt = Setup(attempts=4)
    fourth_attempt.finisher.first_delay_seconds = 200
    fourth_attempt.end_by(UNAVAILABLE)
    assert fourth_attempt.delays == [MAX_DELAY_SECONDS]


def test_a_retryable_error_fails_a_task_without_attempts_left() -> None:
    setup = Setup(attempts=5)
    setup.end_by(UNAVAILABLE)
    assert (setup.status, setup.code) == (Status.FAILED, "engine_unavailable")


def test_an_ambiguous_error_gets_one_more_attempt() -> None:
    error = AmbiguousError(ErrorCode.ENGINE_ERROR, "what?")
    first, second = Setup(attempts=1), Setup(attempts=2)
    first.end_by(error)
    second.end_by(error)
    assert (first.status, second.status) == (Status.QUEUED, Status.FAILED)


def test_a_shutdown_releases_the_task_without_counting_an_attempt(setup: Setup) -> None:
    setup.end_by(WorkerShutsDown(ErrorCode.AWS_UNAVAILABLE, "shutting down"))
    assert (setup.status, setup.table.row.attempts, setup.delays) == (Status.QUEUED, 0, [0])


@pytest.mark.parametrize("error", [THROTTLED, EndpointConnectionError(endpoint_url="https://SECRET")])
def test_an_aws_error_is_retryable_and_its_text_is_not_quoted(setup: Setup, error: Exception) -> None:
    setup.end_by(error)
    assert (setup.status, setup.code) == (Status.QUEUED, "aws_unavailable")
    assert "SECRET" not in str(setup.table.row.item)


def test_an_unexpected_exception_is_retryable(setup: Setup) -> None:
    setup.end_by(ZeroDivisionError())
    assert (setup.status, setup.code) == (Status.QUEUED, "internal_error")


def test_a_lost_lease_writes_nothing(setup: Setup) -> None:
    setup.end_by(LeaseLost("t"))
    assert setup.table.writes == []
    assert (setup.queue.released, setup.deleted, setup.notified) == ([], [], [])
    assert setup.job.done.is_set()


@pytest.mark.parametrize("step", ["prepare", "start", "stop", "release", "finish"])
def test_no_step_runs_after_the_lease_was_lost(setup: Setup, step: str) -> None:
    setup.job.lease_lost.set()
    names = {field.name for field in fields(TaskRun)}
    task_run = TaskRun(**(dict.fromkeys(names) | {"finisher": setup.finisher}))  # type: ignore[arg-type]
    arguments = (setup.job, RunResult()) if step == "finish" else (setup.job,)
    getattr(task_run, step)(*arguments)
    assert setup.job.done.is_set()
    assert setup.table.writes == []


def test_a_prepared_task_whose_start_is_overdue_fails_without_the_gpu(setup: Setup) -> None:
    overdue = setup.table.row.item | {"status": "queued", "start_by": "2026-11-22T17:00:00.000Z"}
    setup.table.row = setup.job.row = Row(overdue)
    names = {field.name for field in fields(TaskRun)}
    arguments = dict.fromkeys(names) | {"finisher": setup.finisher, "table": setup.table}
    assert not TaskRun(**arguments).start(setup.job)  # type: ignore[arg-type]
    assert (setup.status, setup.code) == (Status.FAILED, "task_expired")


def test_the_end_of_an_interrupted_job_depends_on_who_interrupted_it() -> None:
    cancelled, shutting_down, other_client = Setup(), Setup(), Setup()
    cancelled.job.cancelled.set()
    shutting_down.shutting_down.set()
    for setup in (cancelled, shutting_down, other_client):
        setup.end_by(Interrupted())
    assert cancelled.status is Status.CANCELLED
    assert (shutting_down.status, shutting_down.table.row.attempts) == (Status.QUEUED, 0)
    assert (other_client.status, other_client.table.row.attempts) == (Status.QUEUED, 1)


def test_releasing_a_task_with_a_requested_cancel_cancels_it(setup: Setup) -> None:
    setup.table.row = Row(setup.table.row.item | {"cancel_requested": "2026-11-22T17:00:00.000Z"})
    setup.finisher.release(setup.job, count_attempt=False)
    assert setup.status is Status.CANCELLED


def test_an_outcome_that_comes_too_late_deletes_the_stored_objects(setup: Setup) -> None:
    setup.table.row = Row(setup.table.row.item | {"fence": "bbbb"})
    stored_objects = Stored(output="s3://b/out")
    with setup.finisher.ending(setup.job):
        setup.finisher.complete(setup.job, stored_objects)
    assert setup.discarded == [stored_objects]
    assert (setup.notified, setup.deleted) == ([], [])


def test_if_the_callback_cannot_be_sent_the_message_is_redelivered(setup: Setup) -> None:
    setup.notify_error = THROTTLED
    with setup.finisher.ending(setup.job):
        setup.finisher.complete(setup.job, Stored(images=["s3://b/1"], output="s3://b/out"))
    assert setup.status is Status.COMPLETED
    assert setup.deleted == []
    assert setup.delays == [FIRST_DELAY_SECONDS]


def test_a_task_that_cannot_be_ended_is_left_to_its_lease(setup: Setup) -> None:
    setup.table.write_error = THROTTLED
    setup.end_by(PermanentError(ErrorCode.NO_IMAGES, "none"))
    assert setup.job.done.is_set()
    assert setup.notified == []
