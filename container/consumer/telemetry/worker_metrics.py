"""Once a minute: this consumer is at work, how its GPU spent the time, and what memory it uses."""

import threading

from container.consumer.engines.base import Engine
from container.consumer.telemetry.task_metrics import TaskMetrics
from domain import metrics as m
from domain.metrics import Metric


class WorkerMetrics:
    """Write a line every `seconds`, in a thread of its own: an engine may hang when it is asked."""

    def __init__(self, metrics: TaskMetrics, engine: Engine, *, seconds: float) -> None:
        self._metrics = metrics
        self._engine = engine
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker-metrics", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """End with what was spent since the last line."""
        self._stop.set()
        self.beat(whole=False)

    def beat(self, *, whole: bool = True) -> None:
        """Write one line; not a `whole` one leaves out what is no sum."""
        spent = self._metrics.gpu.take()
        values: dict[Metric, float] = {m.GPU_BUSY_SECONDS: spent.busy, m.GPU_IDLE_SECONDS: spent.idle}
        if whole:
            # So that the sum over a minute counts consumers, however often they speak.
            values |= {m.CONSUMERS: self._seconds / 60} | dict(self._engine.gauges())
        self._metrics.write(values)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self.beat()
