"""The health check of a consumer that waits, freezes and wakes up, as a process beside a fake SD Web UI."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from container.consumer.liveness import check_alive
from domain.row import Status
from local.fakes.sdwebui.process import FakeWebUi, start
from tests.support.cloud import Cloud
from tests.support.consumer_fixtures import FAST
from tests.support.consumers import ROOT, process

LEASE_SECONDS = 6


@contextmanager
def booting(seconds: float) -> Iterator[FakeWebUi]:
    """Start a fake SD Web UI that refuses connections for some time."""
    fake = start(boot_seconds=seconds, **FAST)
    try:
        yield fake
    finally:
        fake.kill()


def healthy(file: Path) -> bool:
    """Run the container's health check."""
    environment = {**os.environ, "HEARTBEAT_FILE": str(file), "VISIBILITY_SECONDS": str(LEASE_SECONDS)}
    command = [sys.executable, "-m", check_alive.__name__]
    return (
        subprocess.run(command, env=environment, cwd=ROOT, check=False, capture_output=True).returncode == 0
    )


def test_a_consumer_waits_for_an_engine_that_boots_longer_than_the_lease(
    cloud: Cloud, task_id: str, tmp_path: Path
) -> None:
    file = tmp_path / "heartbeat"
    cloud.submit(task_id)
    with (
        booting(LEASE_SECONDS + 3) as webui,
        process(cloud, webui.url, visibility_seconds=LEASE_SECONDS, heartbeat_file=file) as consumer,
    ):
        consumer.wait_for_line("consumer started", timeout=30)
        cloud.wait_until(file.exists)
        assert healthy(file), "it lives although its engine is not ready"
        row = cloud.outcome(task_id)
        assert (row.status, row.attempts) == (Status.COMPLETED, 1)
        assert consumer.returncode is None


def test_a_frozen_consumer_fails_the_health_check_and_continues_afterwards(
    cloud: Cloud, webui: FakeWebUi, task_id: str, tmp_path: Path
) -> None:
    file = tmp_path / "heartbeat"
    with process(cloud, webui.url, visibility_seconds=LEASE_SECONDS, heartbeat_file=file) as consumer:
        cloud.submit(f"{task_id}-1")
        cloud.outcome(f"{task_id}-1")
        assert healthy(file)
        os.kill(consumer.pid, signal.SIGSTOP)
        cloud.wait_until(lambda: time.time() - file.stat().st_mtime > LEASE_SECONDS + 1)
        assert not healthy(file), "ECS replaces a task whose consumer stands still"
        os.kill(consumer.pid, signal.SIGCONT)
        cloud.submit(f"{task_id}-2")
        assert cloud.outcome(f"{task_id}-2").status is Status.COMPLETED
        assert consumer.returncode is None


def test_a_cancelled_task_in_the_queue_frees_its_place(cloud: Cloud, webui: FakeWebUi, task_id: str) -> None:
    webui.control.set("hang", jobs=1)
    with process(cloud, webui.url, prefetch=1) as consumer:
        cloud.submit(f"{task_id}-1")
        webui.control.wait(held=1)
        cloud.submit(f"{task_id}-2")
        cloud.wait_until(lambda: (row := cloud.table.get(f"{task_id}-2")) is not None and bool(row.fence))
        cloud.cancel(f"{task_id}-2")
        cloud.submit(f"{task_id}-3")
        cloud.wait_until(lambda: bool(cloud.row(f"{task_id}-3").fence))
        webui.control.clear()
        assert cloud.outcome(f"{task_id}-3").status is Status.COMPLETED
        assert sum("the lease is lost: another worker has the task" in line for line in consumer.lines()) <= 1
