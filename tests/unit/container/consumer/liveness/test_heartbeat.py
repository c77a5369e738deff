import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.table import Written
from container.consumer.job import ActiveJobs, Job
from container.consumer.liveness import heartbeat as module
from container.consumer.liveness.heartbeat import Heartbeat, HeartbeatStopped
from domain.row import Row
from tests.support.deliveries import FakeQueue, delivery, message

TIMEOUT_SECONDS = 5.0


class FakeTable:
    """A table in which every renewal succeeds, unless a test says otherwise."""

    def __init__(self) -> None:
        self.renewals = threading.Semaphore(0)
        self.cancel_is_requested = False
        self.lease_is_lost = False
        self.write_error: Exception | None = None
        self.renewed_ids: list[str] = []

    def write(self, task_id: str, _transition: Any) -> Written:
        if self.write_error:
            raise self.write_error
        self.renewed_ids.append(task_id)
        self.renewals.release()
        return Written(done=not self.lease_is_lost, row=None)

    def cancel_requested(self, _task_id: str, _submission_id: str) -> bool:
        return self.cancel_is_requested


def running_job(task_id: str = "t") -> Job:
    row = Row({"id": task_id, "submission_id": "s", "runtime": "r", "status": "running", "fence": "aaaa"})
    return Job(delivery(""), message(task_id), row)


class Setup:
    def __init__(self, *, lease_seconds: int = 6, file: Path | None = None) -> None:
        self.table = FakeTable()
        self.stopped: list[Job] = []
        self.was_stopped = threading.Event()
        self.jobs = ActiveJobs()
        self.heartbeat = Heartbeat(
            self.jobs,
            FakeQueue([]),
            self.table,  # type: ignore[arg-type]
            lease_seconds=lease_seconds,
            observe=lambda: None,
            on_stop=self._stop,
            file=file,
        )

    def _stop(self, job: Job) -> None:
        self.stopped.append(job)
        self.was_stopped.set()


@pytest.fixture
def setup() -> Iterator[Setup]:
    new_setup = Setup()
    yield new_setup
    new_setup.heartbeat.stop()


def test_a_boot_longer_than_the_lease_is_no_missed_heartbeat(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No second heartbeat is sent before the check.
    monkeypatch.setattr(module, "OVERDUE_BEAT_SECONDS", 0)
    setup.heartbeat._last_beat_at -= 1000  # it was built long before the engine was ready
    setup.heartbeat.start()
    setup.heartbeat.check()


def test_an_overdue_heartbeat_gets_a_last_chance(setup: Setup) -> None:
    setup.heartbeat.start()
    setup.heartbeat._last_beat_at -= 1000  # the whole process was frozen
    setup.heartbeat.check()


def test_a_failed_heartbeat_stops_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OVERDUE_BEAT_SECONDS", 0.1)
    setup = Setup()
    job = running_job()
    setup.heartbeat.start()
    setup.jobs.add(job)
    setup.table.write_error = RuntimeError("a bug")
    setup.heartbeat._wake.set()
    assert setup.was_stopped.wait(TIMEOUT_SECONDS)
    setup.heartbeat._thread.join(TIMEOUT_SECONDS)
    with pytest.raises(HeartbeatStopped):
        setup.heartbeat.check()
    assert job.lease_lost.is_set()


def test_a_cancel_is_noticed_between_two_heartbeats(setup: Setup) -> None:
    setup.heartbeat._interval = 3600
    job = running_job()
    setup.heartbeat.start()
    setup.jobs.add(job)
    setup.table.cancel_is_requested = True
    assert setup.was_stopped.wait(TIMEOUT_SECONDS)
    assert job.cancelled.is_set()
    assert setup.stopped == [job]


def test_a_job_that_lost_its_lease_is_not_renewed_again(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    setup.jobs.add(running_job("lost"))
    setup.table.lease_is_lost = True
    setup.heartbeat.beat()
    setup.heartbeat.beat()
    assert setup.table.renewed_ids == ["lost"]
    assert [record.getMessage() for record in caplog.records].count(
        "the lease is lost: another worker has the task"
    ) == 1


def test_every_heartbeat_touches_the_file(tmp_path: Path) -> None:
    setup = Setup(file=tmp_path / "heartbeat")
    setup.heartbeat.start()
    assert time.time() - (tmp_path / "heartbeat").stat().st_mtime < TIMEOUT_SECONDS
    setup.heartbeat.stop()


def test_a_file_that_cannot_be_written_stops_no_work(tmp_path: Path) -> None:
    setup = Setup(file=tmp_path / "no folder" / "heartbeat")
    setup.heartbeat.start()
    setup.heartbeat.check()
    setup.heartbeat.stop()
