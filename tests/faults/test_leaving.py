"""Leaving: real processes, real signals, and whatever hangs."""

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
AT_MOST: Final = SHUTDOWN_SECONDS + LAST_WRITES_SECONDS + RELEASE_SECONDS + 10
"""The promise, and what a loaded machine takes to end a process."""


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


def is_as_new(cloud: Cloud, task_id: str) -> bool:
    """Tell whether a task is queued again, with all its tries, and its message to be had."""
    row = cloud.row(task_id)
    return (
        row.status is Status.QUEUED
        and row.attempts == 0
        and row.text("lease_until") is None
        and cloud.objects(f"output/{task_id}/") == []
    )


def test_what_has_not_started_is_given_back_while_the_job_ends(
    cloud: Cloud, webui: FakeWebUi, task_id: str, run_hanging: Callable[..., None]
) -> None:
    """The running job is finished, for it can end in time."""
    with process(cloud, webui.url, prefetch=1) as worker:
        run_hanging(worker)
        cloud.submit(f"{task_id}-next")
        cloud.wait_until(lambda: cloud.message_counts() == (0, 2))
        worker.send(signal.SIGTERM)
        cloud.wait_until(lambda: cloud.message_counts() == (1, 1))
        assert is_as_new(cloud, f"{task_id}-next")
        assert cloud.row(task_id).status is Status.RUNNING
        webui.control.clear()
        assert worker.wait(END_SECONDS) == 0
    assert cloud.outcome(task_id).status is Status.COMPLETED
    assert cloud.message_counts() == (1, 0)


def test_a_job_that_cannot_end_in_time_is_given_back(
    cloud: Cloud, webui: FakeWebUi, task_id: str, run_hanging: Callable[..., None]
) -> None:
    """It is interrupted, nothing of it is stored, and another worker completes it."""
    with process(cloud, webui.url, shutdown_seconds=SHUTDOWN_SECONDS) as worker:
        run_hanging(worker)
        worker.send(signal.SIGTERM)
        assert worker.wait(AT_MOST) == 0
    assert is_as_new(cloud, task_id)
    assert cloud.message_counts() == (1, 0)
    with running_consumer(cloud, webui.url):
        assert cloud.outcome(task_id).status is Status.COMPLETED


def test_a_web_ui_that_hangs_does_not_hold_it_up(
    cloud: Cloud, webui: FakeWebUi, task_id: str, run_hanging: Callable[..., None]
) -> None:
    """It ends without Web UI's answer, and the task is queued all the same."""
    with process(cloud, webui.url, shutdown_seconds=SHUTDOWN_SECONDS) as worker:
        run_hanging(worker, ignore_interrupt=True)
        worker.send(signal.SIGTERM)
        assert worker.wait(AT_MOST) == 1
    assert is_as_new(cloud, task_id)
    assert cloud.message_counts() == (1, 0)


def test_aws_that_hangs_does_not_hold_it_up(
    cloud: Cloud, webui: FakeWebUi, proxy: Proxy, run_hanging: Callable[..., None]
) -> None:
    """What it cannot give back comes again by its lease."""
    with process(cloud, webui.url, endpoint=proxy.url, shutdown_seconds=SHUTDOWN_SECONDS) as worker:
        run_hanging(worker)
        for name in ("DynamoDB.UpdateItem", "SQS.ChangeMessageVisibilityBatch", "SQS.ReceiveMessage"):
            proxy.hold(name, most=1000)
        worker.send(signal.SIGTERM)
        assert worker.wait(AT_MOST) == 1


def test_a_second_signal_ends_it_at_once_and_still_gives_back(
    cloud: Cloud, webui: FakeWebUi, task_id: str, run_hanging: Callable[..., None]
) -> None:
    """Without waiting for the job."""
    with process(cloud, webui.url) as worker:
        run_hanging(worker, ignore_interrupt=True)
        worker.send(signal.SIGINT)
        worker.wait_for_line("shutting down", timeout=20)
        worker.send(signal.SIGTERM)
        assert worker.wait(END_SECONDS) == 1
    assert is_as_new(cloud, task_id)
    assert cloud.message_counts() == (1, 0)


def test_an_idle_worker_leaves(cloud: Cloud, webui: FakeWebUi) -> None:
    """With status 0."""
    with process(cloud, webui.url) as worker:
        worker.wait_for_line("consumer started", timeout=60)
        worker.send(signal.SIGTERM)
        assert worker.wait(END_SECONDS) == 0


def test_a_web_ui_that_must_be_replaced_is_told_by_the_status(
    cloud: Cloud, webui: FakeWebUi, task_id: str
) -> None:
    """75, and the task has its try back."""
    webui.control.set("error", kind="poisoned")
    with process(cloud, webui.url) as worker:
        cloud.submit(task_id)
        assert worker.wait(60) == REPLACE_ENGINE
        assert any('"breakdowns":1' in line for line in worker.lines())
    assert is_as_new(cloud, task_id)
