"""The metrics that are written when a job ends."""

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
def metrics(caplog: pytest.LogCaptureFixture) -> TaskMetrics:
    """Return the metrics of a runtime."""
    caplog.set_level(logging.INFO, METRICS_LOGGER)
    return TaskMetrics("ns", "r", GpuUtilization())


def new_job(status: str = "running", *, submitted_at: str = "2026-11-22T18:00:00.000Z", **row: Any) -> Job:
    """Return a job that used the GPU for 7 s, including 2 s to load its checkpoint."""
    task = Task("a", "r", TaskType.TEXT_TO_IMAGE, "output", None, {}, "v1alpha2")
    item = {"id": "a", "submission_id": "x", "runtime": "r", "status": status} | row
    job = Job(Delivery("m", "r", ""), Message(task, "x", submitted_at), Row(item))
    job.stage_seconds = {"prepare": 1.0, "model": 2.0, "inference": 5.0}
    return job


def values(caplog: pytest.LogCaptureFixture) -> dict[str, float]:
    """Return the values in the only line, except for the time in the queue."""
    (line,) = caplog.messages
    body = json.loads(line)
    numbers = {name: value for name, value in body.items() if isinstance(value, int | float)}
    numbers.pop("QueuedSeconds", None)
    return numbers


STAGES = {"PrepareSeconds": 1.0, "InferenceSeconds": 5.0}


def test_a_cancelled_job_counts_as_wasted_but_not_as_failed(
    metrics: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.record_outcome(new_job("cancelled"))
    assert values(caplog) == STAGES | {"TasksCancelled": 1, "TasksFailed": 0, "WastedGpuSeconds": 7.0}


def test_a_failed_job_counts_as_wasted_and_by_its_error_code(
    metrics: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.record_outcome(new_job("failed", error={"code": "no_images"}))
    assert values(caplog) == STAGES | {"FailuresByCode": 1, "TasksFailed": 1, "WastedGpuSeconds": 7.0}
    assert json.loads(caplog.messages[0])["code"] == "no_images"


def test_a_model_switch_and_its_seconds_are_counted(
    metrics: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    job = new_job("completed", submitted_at="yesterday", images=["s3://b/k"])
    job.model_switched = True
    metrics.record_outcome(job)
    outcome_metrics = {"TasksCompleted": 1, "TasksFailed": 0, "Images": 1}
    assert values(caplog) == STAGES | outcome_metrics | {"ModelSwitches": 1, "ModelLoadSeconds": 2.0}


def test_a_counted_attempt_is_measured_with_its_gpu_time(
    metrics: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.record_release(new_job(), attempt_counted=True, code="engine_unavailable")
    assert values(caplog) == {"TasksRetried": 1, "WastedGpuSeconds": 7.0}


def test_a_task_that_never_used_the_gpu_writes_no_line(
    metrics: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    job = new_job()
    job.stage_seconds = {"prepare": 1.0}
    metrics.record_release(job, attempt_counted=False)
    assert caplog.messages == []


def test_a_model_that_failed_to_load_counts_as_wasted(
    metrics: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    job = new_job()
    job.stage_seconds = {"prepare": 1.0, "model": 2.0}
    metrics.record_release(job, attempt_counted=False)
    assert values(caplog) == {"WastedGpuSeconds": 2.0}


def test_each_job_is_measured_once(metrics: TaskMetrics, caplog: pytest.LogCaptureFixture) -> None:
    """It can end twice, for example if its callback fails and it is then released."""
    job = new_job("cancelled")
    metrics.record_outcome(job)
    metrics.record_release(job, attempt_counted=False)
    metrics.record_lease_lost(job)
    assert len(caplog.messages) == 1


def test_a_job_whose_lease_is_lost_counts_as_wasted(
    metrics: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.record_lease_lost(new_job())
    assert values(caplog) == {"WastedGpuSeconds": 7.0}


def test_a_task_that_failed_unclaimed_is_counted_from_its_row(
    metrics: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.record_unclaimed_failure(new_job("failed").row, ErrorCode.TASK_ABANDONED)
    assert values(caplog) == {"TasksFailed": 1, "FailuresByCode": 1}


def test_an_unhealthy_engine_is_counted_with_the_reason(
    metrics: TaskMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.record_unhealthy_engine("it fails every job")
    assert values(caplog) == {"UnhealthyEngines": 1}
    assert json.loads(caplog.messages[0])["reason"] == "it fails every job"
