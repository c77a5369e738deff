"""Tasks come to the GPU just in time, and not before."""

import threading
from collections.abc import Iterator

import pytest

from container.consumer.job import Job
from container.consumer.scheduling import prefetch
from container.consumer.scheduling.prefetch import Prefetcher
from container.consumer.telemetry.duration import DurationEstimator
from domain.row import Row
from tests.support.deliveries import delivery, message

SOON = 5.0
"""Seconds that an event may take on a busy machine before a test gives up; none is waited for in vain."""


class Line:
    """Tasks to take, with a record of what was asked for."""

    def __init__(self, *, prefetch: int = 2) -> None:
        changed = threading.Condition()
        self.pace = DurationEstimator(changed)
        self.takes = threading.Semaphore(0)
        self.taken = 0
        self.released: list[Job] = []
        self.ended: list[Job] = []
        self.preparing = threading.Semaphore(1000)
        self.ahead = Prefetcher(self, self.pace, changed, prefetch=prefetch)  # type: ignore[arg-type]

    def claim(self) -> Job | None:
        """Return one more task."""
        self.taken += 1
        job = Job(delivery(""), message(f"t{self.taken}"), Row({"id": f"t{self.taken}"}))
        self.takes.release()
        return job

    def start(self, _job: Job) -> bool:
        return True

    def stop(self, job: Job) -> None:
        self.ended.append(job)

    def release(self, job: Job) -> None:
        self.released.append(job)

    def prepare(self, job: Job) -> bool:
        """Wait until the test allows it."""
        self.preparing.acquire()
        job.kind, job.cost = "", 1.0
        return True


@pytest.fixture
def line() -> Iterator[Line]:
    """Run a line, and stop it."""
    made = Line()
    yield made
    made.ahead.stop()
    made.preparing.release(1000)


def test_a_first_task_comes_at_once(line: Line) -> None:
    """An idle GPU waits for nothing but a message."""
    line.ahead.start()
    job = line.ahead.next(SOON)
    assert job is not None
    assert job.id == "t1"


def test_no_task_is_taken_while_a_job_runs_whose_end_is_unknown(line: Line) -> None:
    """Another GPU could start it now."""
    line.ahead.start()
    first = line.ahead.next(SOON)
    line.pace.begin("", 1.0)  # the second task, taken while the GPU was idle, stays the only one
    assert first is not None
    line.takes.acquire(timeout=SOON)
    while line.takes.acquire(timeout=0.3):
        pass
    assert line.taken <= 2


def test_the_next_task_is_ready_when_the_job_ends(line: Line) -> None:
    """Once a job's length is known, the one behind it is prepared in time."""
    line.pace.begin("", 1.0)
    line.pace.end("", 1.0, learn=True)  # it took no time: each next job is about to end
    line.ahead.start()
    assert line.ahead.next(SOON) is not None
    line.pace.begin("", 1.0)
    assert line.ahead.next(SOON) is not None


def test_never_more_than_prefetch_are_held(line: Line) -> None:
    """However short the jobs."""
    line.pace.begin("", 1.0)
    line.pace.end("", 1.0, learn=True)
    line.ahead.start()
    for _ in range(2):
        assert line.takes.acquire(timeout=SOON)
    assert not line.takes.acquire(timeout=0.3)
    assert line.taken == 2


def test_what_waits_is_given_back_on_leaving() -> None:
    """Prepared or started, nothing is kept."""
    line = Line()
    line.pace.begin("", 1.0)
    line.pace.end("", 1.0, learn=True)
    line.ahead.start()
    for _ in range(2):
        assert line.takes.acquire(timeout=SOON)
    line.ahead.stop()
    line.ahead.release_started()
    for thread in line.ahead._threads:
        thread.join(SOON)
    line.ahead.release_started()
    assert len(line.released) == 2


def test_a_started_task_that_is_cancelled_makes_room_at_once(line: Line) -> None:
    line.pace.begin("", 1.0)
    line.pace.end("", 1.0, learn=True)
    line.ahead.start()
    assert line.takes.acquire(timeout=SOON)
    assert line.takes.acquire(timeout=SOON)
    with line.ahead._change:
        assert line.ahead._change.wait_for(lambda: any(slot.started for slot in line.ahead._slots), SOON)
        job = next(slot.job for slot in line.ahead._slots if slot.started)
    assert job is not None
    job.cancelled.set()
    assert line.takes.acquire(timeout=SOON), "a third task is taken"
    assert line.ended == [job]


def test_overdue_tasks_leave_their_places_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "OVERDUE_SECONDS", 0.1)
    line = Line()
    line.preparing = threading.Semaphore(0)  # the inputs of these tasks do not come
    line.ahead._claiming.seconds = line.ahead._preparing.seconds = 0.01
    line.ahead.start()
    for _ in range(2 + prefetch.MAX_OVERDUE):
        assert line.takes.acquire(timeout=SOON)
    assert not line.takes.acquire(timeout=0.5), "and no more than so many"
    line.ahead.stop()
    line.preparing.release(1000)


def test_a_task_whose_inputs_take_a_while_breaks_no_thread(line: Line) -> None:
    """What it costs is known only once its content was read."""
    line.preparing = threading.Semaphore(0)
    line.ahead._preparing.seconds = 60.0  # so that it is not overdue
    line.ahead.start()
    assert line.takes.acquire(timeout=SOON)
    line.ahead.next(1.0)
    line.preparing.release()
    assert line.ahead.next(SOON) is not None


def test_a_broken_thread_is_not_silent() -> None:
    """The worker must not go on with half of its hands."""
    line = Line()
    line.claim = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]  # the fault
    line.ahead.start()
    with pytest.raises(ZeroDivisionError):
        line.ahead.next(SOON)


def test_in_a_row_means_one_at_a_time() -> None:
    """`PREFETCH=0` has no threads."""
    line = Line(prefetch=0)
    line.ahead.start()
    assert line.taken == 0
    assert line.ahead.next(0) is not None
    assert line.taken == 1
