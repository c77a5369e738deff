"""Metrics of tasks: one line in the embedded metric format when a job ends."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from container.consumer.job import Job
from container.consumer.telemetry.logs import METRICS_LOGGER, log_fields
from container.consumer.telemetry.utilization import GpuUtilization
from container.consumer.telemetry.xray import Tracer
from domain import metrics
from domain.clock import now, parse
from domain.errors import ErrorCode
from domain.metrics import Metric, emf_line
from domain.row import Row, Status

log = logging.getLogger(__name__)
_metrics_log = logging.getLogger(METRICS_LOGGER)

_STAGE_METRICS: Final[Mapping[str, Metric]] = {
    "prepare": metrics.PREPARE_SECONDS,
    "inference": metrics.INFERENCE_SECONDS,
    "store": metrics.STORE_SECONDS,
}
_OUTCOME_METRICS: Final[Mapping[Status, Metric]] = {
    Status.COMPLETED: metrics.COMPLETED,
    Status.FAILED: metrics.FAILURES_BY_CODE,
    Status.CANCELLED: metrics.CANCELLED,
}


@dataclass(slots=True)
class TaskMetrics:
    """Writes how long tasks took and how they ended; values that cannot be written are logged, not raised."""

    namespace: str
    runtime: str
    gpu: GpuUtilization
    tracer: Tracer | None = None

    def record_outcome(self, job: Job) -> None:
        """Write the metrics of a job whose task has finished, based on the task's row."""
        row = job.row
        values: dict[Metric, float] = {
            _OUTCOME_METRICS[row.status]: 1,
            metrics.FAILED: int(row.status is Status.FAILED),
        }
        for stage, metric in _STAGE_METRICS.items():
            if stage in job.stage_seconds:
                values[metric] = job.stage_seconds[stage]
        if job.model_switched:
            values[metrics.MODEL_SWITCHES] = 1
            values[metrics.MODEL_LOAD_SECONDS] = job.stage_seconds.get("model", 0.0)
        submitted_at = _timestamp_or_none(job.message.submitted_at)
        if submitted_at is not None:
            values[metrics.QUEUED_SECONDS] = max(0.0, job.claimed_at - submitted_at)
        if row.status is Status.COMPLETED:
            values[metrics.IMAGES] = len(row.item.get("images") or ())
            if submitted_at is not None:
                values[metrics.END_TO_END_SECONDS] = max(0.0, time.time() - submitted_at)
        else:
            values |= _wasted_gpu_seconds(job)
        code = str((row.item.get("error") or {}).get("code") or "")
        self._record_end(job, values, status=row.status.value, code=code)

    def record_release(self, job: Job, *, attempt_counted: bool, code: str = "") -> None:
        """Write the metrics of a job whose task returns to its queue."""
        values = _wasted_gpu_seconds(job) | ({metrics.RETRIED: 1} if attempt_counted else {})
        self._record_end(job, values, status="released", code=code)

    def record_lease_lost(self, job: Job) -> None:
        """Write the metrics of a job whose lease has been lost, or is left to expire after an error."""
        self._record_end(job, _wasted_gpu_seconds(job), status="lease_lost")

    def record_unclaimed_failure(self, row: Row, code: ErrorCode) -> None:
        """Count a task that was ended instead of claimed, if it failed: the caller's cancel is no failure."""
        if row.status is Status.FAILED:
            self.write(
                {metrics.FAILED: 1, metrics.FAILURES_BY_CODE: 1},
                task_id=row.id,
                submission_id=row.submission_id,
                code=code.value,
            )

    def record_unhealthy_engine(self, reason: str) -> None:
        """Count an engine that must be replaced, or one that recovered: operators should see that too."""
        self.write({metrics.ENGINE_UNHEALTHY: 1}, reason=reason)

    def write(self, values: Mapping[Metric, float], **properties: Any) -> None:
        """Write one line of the embedded metric format, without the properties that are empty."""
        present = {name: value for name, value in properties.items() if value}
        try:
            line = emf_line(
                self.namespace, values, at=now(), properties={metrics.RUNTIME: self.runtime, **present}
            )
        except ValueError:
            names = [metric.name for metric in values]
            log.exception("metrics could not be written", extra={"metrics": names})
        else:
            _metrics_log.info(line)

    def _record_end(self, job: Job, values: Mapping[Metric, float], *, status: str, code: str = "") -> None:
        self.gpu.remove_waiting(job)
        if job.end_recorded:
            return  # Each job is counted once; one whose end fails with an error can reach this again.
        job.end_recorded = True
        if values:
            self.write(values, **log_fields(job), status=status, code=code)
        if self.tracer is not None:
            self.tracer.send(job, status=status, code=code)


def _wasted_gpu_seconds(job: Job) -> dict[Metric, float]:
    """Return the GPU time of a job without images; a model that failed to load has used the GPU too."""
    seconds = [job.stage_seconds[stage] for stage in ("model", "inference") if stage in job.stage_seconds]
    return {metrics.WASTED_GPU_SECONDS: sum(seconds)} if seconds else {}


def _timestamp_or_none(text: str) -> float | None:
    try:
        return parse(text).timestamp()
    except ValueError:  # a direct publisher may send any text
        return None
