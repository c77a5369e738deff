"""What is measured at each end of a task."""

import json
import logging
from typing import Any

import pytest

from container.consumer.job import Delivery, Job
from container.consumer.telemetry.logs import METRICS_LOGGER
from container.consumer.telemetry.task_metrics import TaskMetrics
from container.consumer.telemetry.utilization import GpuUtilization
from domain.errors import ErrorCode
from domain.message import Message
from domain.row import Row
from domain.task import Task
from runtimes.sdwebui.task_type import TaskType


@pytest.fixture
def measures(caplog: pytest.LogCaptureFixture) -> TaskMetrics:
    """Return what measures a runtime."""
    caplog.set_level(logging.INFO, METRICS_LOGGER)
    return TaskMetrics("ns", "r", GpuUtilization())


def job(status: str = "running", *, submitted_at: str = "2026-11-22T18:00:00.000Z", **row: Any) -> Job:
    """Return a task that the GPU had for 7 s, 2 of them to load its checkpoint."""
    task = Task("a", "r", TaskType.TEXT_TO_IMAGE, "output", None, {}, "v1alpha2")
    item = {"id": "a", "submission_id": "x", "runtime": "r", "status": status} | row
    one = Job(Delivery("m", "r", ""), Message(task, "x", submitted_at), Row(item))
    one.seconds = {"prepare": 1.0, "model": 2.0, "inference": 5.0}
    return one


def said(caplog: pytest.LogCaptureFixture) -> dict[str, float]:
    """Return the numbers of the only line, queueing apart."""
    (line,) = caplog.messages
    body = json.loads(line)
    numbers = {name: value for name, value in body.items() if isinstance(value, int | float)}
    numbers.pop("QueuedSeconds", None)
    return numbers


STAGES = {"PrepareSeconds": 1.0, "InferenceSeconds": 5.0}


def test_a_cancelled_job_is_wasted(measures: TaskMetrics, caplog: pytest.LogCaptureFixture) -> None:
    """No failure: its caller wanted it."""
    measures.finished(job("cancelled"))
    assert said(caplog) == STAGES | {"TasksCancelled": 1, "TasksFailed": 0, "WastedGpuSeconds": 7.0}


def test_a_failed_job_is_wasted(measures: TaskMetrics, caplog: pytest.LogCaptureFixture) -> None:
    """And counted for its code."""
    measures.finished(job("failed", error={"code": "no_images"}))
    assert said(caplog) == STAGES | {"FailuresByCode": 1, "TasksFailed": 1, "WastedGpuSeconds": 7.0}
    assert json.loads(caplog.messages[0])["code"] == "no_images"


def test_a_switch_is_measured_where_there_was_one(
    measures: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    """Its seconds, too; and a publisher's own idea of time breaks nothing."""
    one = job("completed", submitted_at="yesterday", images=["s3://b/k"])
    one.switched = True
    measures.finished(one)
    ended = {"TasksCompleted": 1, "TasksFailed": 0, "Images": 1}
    assert said(caplog) == STAGES | ended | {"ModelSwitches": 1, "ModelLoadSeconds": 2.0}


def test_a_try_that_is_spent_is_counted(measures: TaskMetrics, caplog: pytest.LogCaptureFixture) -> None:
    """With the GPU time that it cost."""
    measures.released(job(), attempt_counted=True, code="engine_unavailable")
    assert said(caplog) == {"TasksRetried": 1, "WastedGpuSeconds": 7.0}


def test_a_task_that_never_came_to_the_gpu_wastes_nothing(
    measures: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    """Given back untried: there is nothing to say."""
    one = job()
    one.seconds = {"prepare": 1.0}
    measures.released(one, attempt_counted=False)
    assert caplog.messages == []


def test_an_end_is_measured_once(measures: TaskMetrics, caplog: pytest.LogCaptureFixture) -> None:
    """Although its callback failed, and it was let go of after that."""
    one = job("cancelled")
    measures.finished(one)
    measures.released(one, attempt_counted=False)
    measures.lost(one)
    assert len(caplog.messages) == 1


def test_lost_work_is_wasted(measures: TaskMetrics, caplog: pytest.LogCaptureFixture) -> None:
    """Another worker has the task."""
    measures.lost(job())
    assert said(caplog) == {"WastedGpuSeconds": 7.0}


def test_what_never_was_in_hand_is_counted_by_its_row(
    measures: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    """Its tries were spent by workers that could not say so."""
    measures.abandoned(job("failed").row, ErrorCode.TASK_ABANDONED)
    assert said(caplog) == {"TasksFailed": 1, "FailuresByCode": 1}


def test_a_worker_that_must_be_replaced_is_counted(
    measures: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    """With the reason, for who reads the log."""
    measures.replaced("poisoned by a checkpoint")
    assert said(caplog) == {"PoisonedWorkers": 1}
    assert json.loads(caplog.messages[0])["reason"] == "poisoned by a checkpoint"
