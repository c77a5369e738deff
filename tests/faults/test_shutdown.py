"""The shutdown of a worker: real processes and signals, also if something hangs."""

import signal
from collections.abc import Callable
from typing import Final

import pytest

from container.consumer.shutdown import LAST_WRITES_SECONDS, RELEASE_SECONDS, REPLACE_ENGINE
from domain.row import Status
from local.fakes.sdwebui.process import FakeWebUi
from local.process import Process
from tests.support.cloud import Cloud
from tests.support.consumers import process, running_consumer
from tests.support.proxy import Proxy

END_SECONDS: Final = 30.0
SHUTDOWN_SECONDS: Final = 1
MAX_SHUTDOWN_SECONDS: Final = SHUTDOWN_SECONDS + LAST_WRITES_SECONDS + RELEASE_SECONDS + 10
"""The time that a worker may take to shut down, and 10 seconds for a loaded machine."""


@pytest.fixture
def run_hanging(cloud: Cloud, webui: FakeWebUi, task_id: str) -> Callable[..., None]:
    """Return a function that waits until a worker runs the task, which hangs."""

    def run(worker: Process, **details: bool) -> None:
        worker.wait_for_line("consumer started", timeout=60)
        begun = webui.control.stats()["begun"]
        webui.control.set("hang", jobs=1, **details)
        cloud.submit(task_id)
        webui.control.wait(begun=begun + 1)

    return run


def is_released(cloud: Cloud, task_id: str) -> bool:
    """Return whether a task is queued again without a counted attempt, and its message is visible."""
    row = cloud.row(task_id)
    return (
        row.status is Status.QUEUED
        and row.attempts == 0
        and row.text("lease_until") is None
        and cloud.objects(f"output/{task_id}/") == []
    )


def test_tasks_that_have_not_started_are_released_while_the_running_job_ends(
    cloud: Cloud, webui: FakeWebUi, task_id: str, run_hanging: Callable[..., None]
) -> None:
    with process(cloud, webui.url, prefetch=1) as worker:
        run_hanging(worker)
        cloud.submit(f"{task_id}-next")
        cloud.wait_until(lambda: cloud.message_counts() == (0, 2))
        worker.send(signal.SIGTERM)
        cloud.wait_until(lambda: cloud.message_counts() == (1, 1))
        assert is_released(cloud, f"{task_id}-next")
        assert cloud.row(task_id).status is Status.RUNNING
        webui.control.clear()
        assert worker.wait(END_SECONDS) == 0
    assert cloud.outcome(task_id).status is Status.COMPLETED
    assert cloud.message_counts() == (1, 0)


def test_a_job_that_cannot_end_in_time_is_interrupted_and_released(
    cloud: Cloud, webui: FakeWebUi, task_id: str, run_hanging: Callable[..., None]
) -> None:
    with process(cloud, webui.url, shutdown_seconds=SHUTDOWN_SECONDS) as worker:
        run_hanging(worker)
        worker.send(signal.SIGTERM)
        assert worker.wait(MAX_SHUTDOWN_SECONDS) == 0
    assert is_released(cloud, task_id)
    assert cloud.message_counts() == (1, 0)
    with running_consumer(cloud, webui.url):
        assert cloud.outcome(task_id).status is Status.COMPLETED


def test_a_hanging_web_ui_does_not_delay_the_shutdown(
    cloud: Cloud, webui: FakeWebUi, task_id: str, run_hanging: Callable[..., None]
) -> None:
    with process(cloud, webui.url, shutdown_seconds=SHUTDOWN_SECONDS) as worker:
        run_hanging(worker, ignore_interrupt=True)
        worker.send(signal.SIGTERM)
        assert worker.wait(MAX_SHUTDOWN_SECONDS) == 1
    assert is_released(cloud, task_id)
    assert cloud.message_counts() == (1, 0)


def test_hanging_aws_calls_do_not_delay_the_shutdown(
    cloud: Cloud, webui: FakeWebUi, proxy: Proxy, run_hanging: Callable[..., None]
) -> None:
    """A task that cannot be released is claimed again when its lease has ended."""
    with process(cloud, webui.url, endpoint=proxy.url, shutdown_seconds=SHUTDOWN_SECONDS) as worker:
        run_hanging(worker)
        for name in ("DynamoDB.UpdateItem", "SQS.ChangeMessageVisibilityBatch", "SQS.ReceiveMessage"):
            proxy.hold(name, max_calls=1000)
        worker.send(signal.SIGTERM)
        assert worker.wait(MAX_SHUTDOWN_SECONDS) == 1


def test_a_second_signal_releases_all_jobs_and_ends_the_process_at_once(
    cloud: Cloud, webui: FakeWebUi, task_id: str, run_hanging: Callable[..., None]
) -> None:
    with process(cloud, webui.url) as worker:
        run_hanging(worker, ignore_interrupt=True)
        worker.send(signal.SIGINT)
        worker.wait_for_line("shutting down", timeout=20)
        worker.send(signal.SIGTERM)
        assert worker.wait(END_SECONDS) == 1
    assert is_released(cloud, task_id)
    assert cloud.message_counts() == (1, 0)


def test_an_idle_worker_exits_with_status_0(cloud: Cloud, webui: FakeWebUi) -> None:
    with process(cloud, webui.url) as worker:
        worker.wait_for_line("consumer started", timeout=60)
        worker.send(signal.SIGTERM)
        assert worker.wait(END_SECONDS) == 0


def test_the_exit_status_says_that_the_engine_must_be_replaced(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    webui.control.set("error", kind="no-checkpoint-loaded")
    with process(cloud, webui.url) as worker:
        cloud.submit(task_id)
        assert worker.wait(60) == REPLACE_ENGINE
        assert any('"engine_failures":1' in line for line in worker.lines())
    assert is_released(cloud, task_id)
