"""The toy's engine: it lives in the consumer's own process, and takes a moment for each repetition."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from container.consumer.engines.base import Artifact, Loaded, Request, Result, Verdict
from container.consumer.settings import Settings
from domain.metrics import Metric
from domain.task import Task

MOMENT_SECONDS = 0.1


class ToyEngine:
    def __init__(self, _settings: Settings, _s3: Any, _secrets: Any = None) -> None:
        self._stop = threading.Event()
        self._progress: float | None = None

    def wait_ready(self, _stop: threading.Event, _seconds: float) -> bool:
        return True

    def wait_idle(self, _seconds: float) -> bool:
        return True

    def prepare(self, task: Task, _stopped: Callable[[], bool]) -> Request:
        return Request(task.content)

    def load(self, _request: Request) -> Loaded:
        return Loaded(None, switched=False)

    def run(self, request: Request, _loaded: Loaded) -> Callable[[], Result]:
        self._stop.clear()
        times = int(request.payload["times"])
        for done in range(times):
            self._progress = done / times
            if self._stop.wait(MOMENT_SECONDS):
                break
        self._progress = None
        text = str(request.payload["text"]) * times
        return lambda: Result([Artifact(text.encode, 1, {"letters": len(text)})], {"repeated": True})

    def progress(self) -> float | None:
        return self._progress

    def was_interrupted(self) -> bool:
        return self._stop.is_set()

    def interrupt(self) -> None:
        self._stop.set()

    def failed(self, error: Exception) -> None: ...

    def diagnose(self, _error: Exception) -> Verdict:
        return Verdict.TASK

    def heal(self) -> bool:
        return True

    def prepare_shutdown(self) -> None: ...

    def model_names(self) -> Sequence[str]:
        return ()

    def gauges(self) -> Mapping[Metric, float]:
        return {}
