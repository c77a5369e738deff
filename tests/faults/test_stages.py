"""Workers that are killed, frozen or cancelled at each stage of a task, as real processes.

A stage is reached by a call to AWS that the proxy holds, or by a job that hangs in the fake: no timing.
"""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.row import Status
from local.emulator import Emulator
from local.fakes.sdwebui.process import FakeWebUi
from local.process import Process
from tests.support.cloud import Cloud, make_cloud
from tests.support.consumers import process, running_consumer
from tests.support.proxy import running_proxy

STAGES = {
    "claiming": ("DynamoDB.UpdateItem", "{id}", False),
    "claimed": ("DynamoDB.UpdateItem", "{id}", True),
    "running": None,
    "storing": ("S3.PutObject", "{id}-", False),
    "stored": ("S3.PutObject", ".out", True),
    "finishing": ("DynamoDB.UpdateItem", "completed", False),
    "finished": ("DynamoDB.UpdateItem", "completed", True),
    "telling": ("SNS.Publish", "{id}", False),
    "notified": ("SNS.Publish", "{id}", True),
    "noting": ("DynamoDB.UpdateItem", "notified_at", True),
    "deleting": ("SQS.DeleteMessage", "", False),
}


def kill(worker: Process) -> Callable[[], None]:
    """Kill a worker as if its machine failed."""
    worker.kill()
    return lambda: None


def freeze(worker: Process) -> Callable[[], None]:
    """Stop a worker; return a function that wakes it."""
    worker.send(signal.SIGSTOP)
    return lambda: worker.send(signal.SIGCONT)


SHORT = {
    kill: ("running", "claimed", "stored", "finished", "notified"),
    freeze: ("running", "claimed", "storing", "finishing"),
}
"""What `make test` has time for."""

CASES = [
    *(
        pytest.param(break_worker, stages, id=f"{break_worker.__name__} at some")
        for break_worker, stages in SHORT.items()
    ),
    *(
        pytest.param(
            *(break_worker, tuple(stage for stage in STAGES if stage not in stages)),
            id=f"{break_worker.__name__} at the others",
            marks=pytest.mark.long,
        )
        for break_worker, stages in SHORT.items()
    ),
]

AT_ONCE = 4


@pytest.mark.parametrize(("break_worker", "stages"), CASES)
def test_another_worker_finishes_the_task(
    aws: Emulator,
    webui: FakeWebUi,
    break_worker: Callable[[Process], Callable[[], None]],
    stages: tuple[str, ...],
) -> None:
    """With one outcome and one callback, whatever the first worker still does when it wakes."""
    if "running" in stages:
        in_webui(aws, webui, break_worker)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {
            stage: pool.submit(in_aws, aws, webui, break_worker, stage) for stage in stages if STAGES[stage]
        }
    failed = {stage: run.exception() for stage, run in runs.items() if run.exception()}
    assert not failed


def in_webui(aws: Emulator, webui: FakeWebUi, break_worker: Callable[[Process], Callable[[], None]]) -> None:
    """Break the worker while its job runs."""
    cloud = make_cloud(aws)
    with process(cloud, webui.url) as first:
        first.wait_for_line("consumer started", timeout=60)
        begun = webui.control.stats()["begun"]
        webui.control.set("hang", jobs=1)
        cloud.submit("task")
        webui.control.wait(begun=begun + 1)
        wake = break_worker(first)
        webui.control.clear()
        another_finishes(cloud, webui, wake)


def in_aws(
    aws: Emulator, webui: FakeWebUi, break_worker: Callable[[Process], Callable[[], None]], stage: str
) -> None:
    """Break the worker while a call to AWS is delayed, before or after AWS executes it."""
    cloud = make_cloud(aws)
    name, text, after = STAGES[stage] or ("", "", False)
    with (
        running_proxy(aws.endpoint_url) as between,
        process(cloud, webui.url, endpoint=between.url) as first,
    ):
        first.wait_for_line("consumer started", timeout=60)
        job = between.hold(name, text.format(id="task"), after=after)
        cloud.submit("task")
        job.wait()
        woken = break_worker(first)

        def wake() -> None:
            job.release()
            woken()

        another_finishes(cloud, webui, wake)


def another_finishes(cloud: Cloud, webui: FakeWebUi, wake: Callable[[], None]) -> None:
    """Let another worker take over, then wake the first one."""
    with running_consumer(cloud, webui.url) as second:
        row = cloud.outcome("task")
        wake()
        cloud.wait_until_empty()
        assert second.error is None
    cloud.receive_callbacks()
    assert row.status is Status.COMPLETED
    outcome_callbacks = [one for one in cloud.callbacks_of["task"] if one["result"] is not None]
    outcomes = {(one["status"], tuple(one["image_url"])) for one in outcome_callbacks}
    assert outcomes == {("completed", tuple(row.item["images"]))}
    cloud.wait_until(lambda: cloud.has_exactly_its_objects(cloud.row("task")))
    assert cloud.row("task").notified
    assert cloud.message_counts(cloud.dead_letter_url) == (0, 0)
