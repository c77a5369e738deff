"""Metrics of the worker, once a minute: that it is at work, its GPU time, and its GPU memory."""

import logging
import threading
from collections.abc import Mapping

from container.consumer.engines.base import Engine
from container.consumer.telemetry.task_metrics import TaskMetrics
from domain import metrics
from domain.metrics import Metric

_log = logging.getLogger(__name__)


class WorkerMetrics:
    """Writes a line every `seconds`, in a separate thread because reading the engine's memory may hang."""

    def __init__(self, task_metrics: TaskMetrics, engine: Engine, *, seconds: float) -> None:
        self._task_metrics = task_metrics
        self._engine = engine
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker-metrics", daemon=True)

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after writing the times since the last line."""
        self._stop.set()
        self.write(partial=True)

    def write(self, *, partial: bool = False) -> None:
        """Write one line; for a `partial` interval, at shutdown, write counters only."""
        spent = self._task_metrics.gpu.spent_since_last_call()
        values: dict[Metric, float] = {
            metrics.GPU_BUSY_SECONDS: spent.busy_seconds,
            metrics.GPU_IDLE_SECONDS: spent.idle_seconds,
        }
        if not partial:
            # Scaled so that the sum over a minute is the number of consumers, whatever the interval.
            values |= {metrics.CONSUMERS: self._seconds / 60} | dict(self._gauges())
        self._task_metrics.write(values)

    def _gauges(self) -> Mapping[Metric, float]:
        try:
            return self._engine.gauges()
        except Exception:  # noqa: BLE001 - an engine may answer anything
            # Without this thread, the worker would count as missing.
            _log.exception("the engine's memory cannot be read")
            return {}

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self.write()
