"""Once a minute: this consumer is at work, how its GPU spent the time, and what memory it uses."""

import threading
from typing import Any, Final

from container.consumer.engines.sdwebui.client import READY_PATH, WebUi
from container.consumer.telemetry.task_metrics import TaskMetrics
from domain import metrics as m
from domain.errors import PermanentError, RetryableError
from domain.metrics import Metric

BYTES_PER_MEGABYTE: Final = 1e6


class WorkerMetrics:
    """Write a line every `seconds`, in a thread of its own: SD Web UI may hang when it is asked."""

    def __init__(self, measures: TaskMetrics, webui: WebUi, *, seconds: float) -> None:
        self._measures = measures
        self._webui = webui
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin; SD Web UI is ready."""
        self._thread.start()

    def stop(self) -> None:
        """End with what was spent since the last line."""
        self._stop.set()
        self.beat(whole=False)

    def beat(self, *, whole: bool = True) -> None:
        """Write one line; not a `whole` one leaves out what is no sum."""
        spent = self._measures.gpu.take()
        values: dict[Metric, float] = {m.GPU_BUSY_SECONDS: spent.busy, m.GPU_IDLE_SECONDS: spent.idle}
        if whole:
            # So that the sum over a minute counts consumers, however often they speak.
            values |= {m.CONSUMERS: self._seconds / 60} | self._memory()
        self._measures.write(values)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self.beat()

    def _memory(self) -> dict[Metric, float]:
        """Return what SD Web UI says of the card; nothing without one, or without an answer."""
        try:
            answer = self._webui.get(READY_PATH)
        except (RetryableError, PermanentError):
            return {}
        card = _of(_of(answer, "cuda"), "system")
        found = {m.GPU_MEMORY_USED: card.get("used"), m.GPU_MEMORY_FREE: card.get("free")}
        return {
            metric: value / BYTES_PER_MEGABYTE
            for metric, value in found.items()
            if isinstance(value, int | float)
        }


def _of(value: Any, key: str) -> dict[str, Any]:
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}
