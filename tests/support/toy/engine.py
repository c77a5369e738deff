"""The toy's engine, which runs in the consumer's process and takes a moment for each repetition."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from container.consumer.engines.base import Artifact, Loaded, Request, Result, RunHooks, Verdict
from container.consumer.settings import Settings
from domain.metrics import Metric
from domain.task import Task
from runtimes.base import EngineNames

MOMENT_SECONDS = 0.1


def build_toy(settings: Settings, _s3: Any, _secrets_manager: Any) -> "ToyEngine":
    return ToyEngine(settings.runtime_options["speed"])


class ToyEngine:
    def __init__(self, speed: int = 1) -> None:
        self._speed = speed
        self._stop = threading.Event()

    def wait_ready(self, _stop: threading.Event, _seconds: float) -> bool:
        return True

    def warm_up(self, _stop: threading.Event) -> None: ...

    def wait_idle(self, _seconds: float) -> bool:
        return True

    def prepare(self, task: Task, _stopped: Callable[[], bool]) -> Request:
        return Request(task.content)

    def load(self, _request: Request) -> Loaded:
        return Loaded(None, switched=False)

    def run(self, request: Request, _loaded: Loaded, hooks: RunHooks) -> Callable[[], Result]:
        hooks.sent()
        self._stop.clear()
        times = int(request.payload["times"])
        for repetition in range(times):
            hooks.progressed(repetition / times)
            if self._stop.wait(MOMENT_SECONDS / self._speed):
                break
        text = str(request.payload["text"]) * times
        return lambda: Result(
            [Artifact(text.encode, 1, {"letters": len(text)})], {"repeated": True, "speed": self._speed}
        )

    def was_interrupted(self) -> bool:
        return self._stop.is_set()

    def interrupt(self) -> None:
        self._stop.set()

    def failed(self, error: Exception) -> None: ...

    def diagnose(self, _error: Exception) -> Verdict:
        return Verdict.TASK

    def recover(self) -> bool:
        return True

    def prepare_shutdown(self) -> None: ...

    def names(self) -> EngineNames:
        return EngineNames()

    def gauges(self) -> Mapping[Metric, float]:
        return {}
