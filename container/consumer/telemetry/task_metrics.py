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
from domain import metrics as m
from domain.clock import now, parse
from domain.errors import ErrorCode
from domain.metrics import Metric, emf_line
from domain.row import Row, Status

_lines = logging.getLogger(METRICS_LOGGER)

_STAGES: Final[Mapping[str, Metric]] = {
    "prepare": m.PREPARE_SECONDS,
    "inference": m.INFERENCE_SECONDS,
    "store": m.STORE_SECONDS,
}
_ENDS: Final[Mapping[Status, Metric]] = {
    Status.COMPLETED: m.COMPLETED,
    Status.FAILED: m.FAILURES_BY_CODE,
    Status.CANCELLED: m.CANCELLED,
}


@dataclass(slots=True)
class TaskMetrics:
    """Writes how long tasks took and how they ended, without raising errors or delaying tasks."""

    namespace: str
    runtime: str
    gpu: GpuUtilization
    tracer: Tracer | None = None

    def finished(self, job: Job) -> None:
        """Write the metrics of a finished task, based on its row."""
        row = job.row
        values: dict[Metric, float] = {_ENDS[row.status]: 1, m.FAILED: int(row.status is Status.FAILED)}
        for stage, metric in _STAGES.items():
            if stage in job.seconds:
                values[metric] = job.seconds[stage]
        if job.switched:
            values |= {m.MODEL_SWITCHES: 1, m.MODEL_LOAD_SECONDS: job.seconds.get("model", 0.0)}
        submitted = _timestamp(job.message.submitted_at)
        if submitted is not None:
            values[m.QUEUED_SECONDS] = max(0.0, job.claimed_at - submitted)
        if row.status is Status.COMPLETED:
            values[m.IMAGES] = len(row.item.get("images") or ())
            if submitted is not None:
                values[m.END_TO_END_SECONDS] = max(0.0, time.time() - submitted)
        else:
            values |= self._wasted(job)
        code = str((row.item.get("error") or {}).get("code") or "")
        self._end(job, values, status=row.status.value, code=code)

    def released(self, job: Job, *, attempt_counted: bool, code: str = "") -> None:
        """Write the metrics of a task that returns to its queue."""
        values = self._wasted(job) | ({m.RETRIED: 1} if attempt_counted else {})
        self._end(job, values, status="released", code=code)

    def lost(self, job: Job) -> None:
        """Write the metrics of a task that this worker has lost."""
        self._end(job, self._wasted(job), status="lost")

    def ended_unclaimed(self, row: Row, code: ErrorCode) -> None:
        """Write the metrics of a task that failed without being claimed by this worker."""
        if row.status is Status.FAILED:
            self.write(
                {m.FAILED: 1, m.FAILURES_BY_CODE: 1},
                task_id=row.id,
                submission_id=row.submission_id,
                code=code.value,
            )

    def engine_unhealthy(self, reason: str) -> None:
        """Count an unhealthy engine, which must be replaced."""
        self.write({m.ENGINE_UNHEALTHY: 1}, reason=reason)

    def engine_recovered(self) -> None:
        """Count an unhealthy engine that works again."""
        self.write({m.ENGINE_UNHEALTHY: 1}, reason="recovered")

    def write(self, values: Mapping[Metric, float], **facts: Any) -> None:
        """Write one line."""
        known = {name: value for name, value in facts.items() if value}
        try:
            line = emf_line(self.namespace, values, at=now(), properties={m.RUNTIME: self.runtime, **known})
        except ValueError:
            logging.getLogger(__name__).exception("metrics could not be written")
        else:
            _lines.info(line)

    def _end(self, job: Job, values: Mapping[Metric, float], *, status: str, code: str = "") -> None:
        self.gpu.done(job)
        if job.measured:
            return  # for example, because its callback failed after its outcome was written
        job.measured = True
        if values:
            self.write(values, **log_fields(job), status=status, code=code)
        if self.tracer is not None:
            self.tracer.ended(job, status=status, code=code)

    @staticmethod
    def _wasted(job: Job) -> dict[Metric, float]:
        seconds = job.seconds.get("model", 0.0) + job.seconds.get("inference", 0.0)
        return {m.WASTED_GPU_SECONDS: seconds} if "inference" in job.seconds else {}


def _timestamp(text: str) -> float | None:
    try:
        return parse(text).timestamp()
    except ValueError:  # a direct publisher may send any text
        return None
