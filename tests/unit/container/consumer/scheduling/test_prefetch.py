"""Tasks are prepared just before the GPU is free, and not earlier."""

import threading
from collections.abc import Iterator

import pytest

from container.consumer.job import Job
from container.consumer.scheduling import prefetch
from container.consumer.scheduling.prefetch import Prefetcher
from container.consumer.telemetry.duration import DurationEstimator
from domain.row import Row
from tests.support.deliveries import delivery, message

TIMEOUT_SECONDS = 5.0
"""Maximum duration of an event on a busy machine; a test that succeeds never waits so long."""


class FakeTasks:
    """The steps that the prefetcher calls; with `may_prepare` a test decides when tasks are prepared."""

    def __init__(self, *, prefetch: int = 2, more_tasks_than_workers: bool = False) -> None:
        changes = threading.Condition()
        self.durations = DurationEstimator(changes)
        self.claimed = threading.Semaphore(0)
        self.claim_count = 0
        self.released: list[Job] = []
        self.stopped: list[Job] = []
        self.may_prepare = threading.Semaphore(1000)
        self.prefetcher = Prefetcher(
            self,  # type: ignore[arg-type]
            self.durations,
            changes,
            prefetch=prefetch,
            more_tasks_than_workers=lambda: more_tasks_than_workers,
        )

    def claim(self) -> Job | None:
        """Claim another task; there is always one."""
        self.claim_count += 1
        job = Job(delivery(""), message(f"t{self.claim_count}"), Row({"id": f"t{self.claim_count}"}))
        self.claimed.release()
        return job

    def start(self, _job: Job) -> bool:
        return True

    def stop(self, job: Job) -> None:
        self.stopped.append(job)

    def release(self, job: Job) -> None:
        self.released.append(job)

    def prepare(self, job: Job) -> bool:
        """Prepare a task, once the test allows it."""
        self.may_prepare.acquire()
        job.kind, job.cost = "", 1.0
        return True


@pytest.fixture
def tasks() -> Iterator[FakeTasks]:
    """Yield tasks with a prefetcher, which is stopped at the end."""
    fake_tasks = FakeTasks()
    yield fake_tasks
    fake_tasks.prefetcher.stop()
    fake_tasks.may_prepare.release(1000)


def test_the_first_task_is_ready_at_once(tasks: FakeTasks) -> None:
    tasks.prefetcher.start()
    job = tasks.prefetcher.next(TIMEOUT_SECONDS)
    assert job is not None
    assert job.id == "t1"


def test_no_task_is_claimed_during_a_job_of_unknown_duration(tasks: FakeTasks) -> None:
    """Another worker may be able to start the task at once."""
    tasks.prefetcher.start()
    first = tasks.prefetcher.next(TIMEOUT_SECONDS)
    tasks.durations.begin("", 1.0)  # the second task, claimed while the GPU was idle, stays the only one
    assert first is not None
    tasks.claimed.acquire(timeout=TIMEOUT_SECONDS)
    while tasks.claimed.acquire(timeout=0.3):
        pass
    assert tasks.claim_count <= 2


def test_with_enough_tasks_for_all_workers_one_is_prepared_during_a_job_of_unknown_duration() -> None:
    tasks = FakeTasks(more_tasks_than_workers=True)
    tasks.durations.begin("", 1.0)
    tasks.prefetcher.start()
    assert tasks.claimed.acquire(timeout=TIMEOUT_SECONDS)
    assert not tasks.claimed.acquire(timeout=0.7), "and no further one"
    tasks.prefetcher.stop()


def test_with_a_known_duration_the_next_task_is_ready_when_the_job_ends(tasks: FakeTasks) -> None:
    tasks.durations.begin("", 1.0)
    tasks.durations.end("", 1.0, learn=True)  # it took no time: each next job is about to end
    tasks.prefetcher.start()
    assert tasks.prefetcher.next(TIMEOUT_SECONDS) is not None
    tasks.durations.begin("", 1.0)
    assert tasks.prefetcher.next(TIMEOUT_SECONDS) is not None


def test_at_most_prefetch_tasks_wait_however_short_the_jobs_are(tasks: FakeTasks) -> None:
    tasks.durations.begin("", 1.0)
    tasks.durations.end("", 1.0, learn=True)
    tasks.prefetcher.start()
    for _ in range(2):
        assert tasks.claimed.acquire(timeout=TIMEOUT_SECONDS)
    assert not tasks.claimed.acquire(timeout=0.3)
    assert tasks.claim_count == 2


def test_waiting_tasks_are_released_on_shutdown() -> None:
    tasks = FakeTasks()
    tasks.durations.begin("", 1.0)
    tasks.durations.end("", 1.0, learn=True)
    tasks.prefetcher.start()
    for _ in range(2):
        assert tasks.claimed.acquire(timeout=TIMEOUT_SECONDS)
    tasks.prefetcher.stop()
    tasks.prefetcher.release_started()
    for thread in tasks.prefetcher._threads:
        thread.join(TIMEOUT_SECONDS)
    tasks.prefetcher.release_started()
    assert len(tasks.released) == 2


def test_a_started_task_that_is_cancelled_frees_its_place_at_once(tasks: FakeTasks) -> None:
    tasks.durations.begin("", 1.0)
    tasks.durations.end("", 1.0, learn=True)
    tasks.prefetcher.start()
    assert tasks.claimed.acquire(timeout=TIMEOUT_SECONDS)
    assert tasks.claimed.acquire(timeout=TIMEOUT_SECONDS)
    with tasks.prefetcher._change:
        assert tasks.prefetcher._change.wait_for(
            lambda: any(slot.started for slot in tasks.prefetcher._slots), TIMEOUT_SECONDS
        )
        job = next(slot.job for slot in tasks.prefetcher._slots if slot.started)
    assert job is not None
    job.cancelled.set()
    assert tasks.claimed.acquire(timeout=TIMEOUT_SECONDS), "a third task is claimed"
    assert tasks.stopped == [job]


def test_other_tasks_take_the_places_of_overdue_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "OVERDUE_SECONDS", 0.1)
    tasks = FakeTasks()
    tasks.may_prepare = threading.Semaphore(0)  # the inputs of these tasks do not come
    tasks.prefetcher._claiming.seconds = tasks.prefetcher._preparing.seconds = 0.01
    tasks.prefetcher.start()
    for _ in range(2 + prefetch.MAX_OVERDUE):
        assert tasks.claimed.acquire(timeout=TIMEOUT_SECONDS)
    assert not tasks.claimed.acquire(timeout=0.5), "and no more than so many"
    tasks.prefetcher.stop()
    tasks.may_prepare.release(1000)


def test_a_task_with_slow_inputs_does_not_break_the_thread(tasks: FakeTasks) -> None:
    """Its cost is only known once its content has been read."""
    tasks.may_prepare = threading.Semaphore(0)
    tasks.prefetcher._preparing.seconds = 60.0  # so that it is not overdue
    tasks.prefetcher.start()
    assert tasks.claimed.acquire(timeout=TIMEOUT_SECONDS)
    tasks.prefetcher.next(1.0)
    tasks.may_prepare.release()
    assert tasks.prefetcher.next(TIMEOUT_SECONDS) is not None


def test_the_error_of_a_prefetch_thread_is_raised_in_the_main_thread() -> None:
    tasks = FakeTasks()
    tasks.claim = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]  # the fault
    tasks.prefetcher.start()
    with pytest.raises(ZeroDivisionError):
        tasks.prefetcher.next(TIMEOUT_SECONDS)


def test_without_prefetch_tasks_run_one_after_the_other_without_threads() -> None:
    tasks = FakeTasks(prefetch=0)
    tasks.prefetcher.start()
    assert tasks.claim_count == 0
    assert tasks.prefetcher.next(0) is not None
    assert tasks.claim_count == 1
