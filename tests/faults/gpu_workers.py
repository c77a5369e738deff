"""GPU workers of both runtime types: a fake engine and its consumer, which are restarted as ECS does."""

import signal
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from container.consumer.shutdown import REPLACE_ENGINE
from local.fakes.comfyui.process import FakeComfyUi, write_models
from local.fakes.comfyui.process import start as start_comfyui
from local.fakes.process import FakeError, FakeServer
from local.fakes.sdwebui.process import start as start_sdwebui
from local.process import Process
from local.worker import run_worker
from tests.faults.asked import COMFYUI_RUNTIME
from tests.faults.deployed import Deployed

VISIBILITY_SECONDS: Final = 6
FROZEN_SECONDS: Final = VISIBILITY_SECONDS + 2
AWAKE_SECONDS: Final = 5
"""A worker that woke up late deletes what it stored; killed before that, it could not."""

SETTINGS: Final = {
    "VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
    "RETRY_DELAY_SECONDS": "1",
    "SHUTDOWN_SECONDS": "3",
    "INFERENCE_TIMEOUT_SECONDS": "4",
}
SPEED: Final[dict[str, Any]] = {"step_seconds": 0.03, "load_seconds": 0.1}
WEBUI: Final[dict[str, Any]] = SPEED | {"gap_seconds": 0.2}
TRUNCATE: Final = {"sdwebui": "truncate", "comfyui": "cut-file"}
"""The faults by which images arrive incomplete."""

FOLDERS: Final = ("models", "input", "output", "temp")


@dataclass
class GpuWorker:
    """A GPU worker of a runtime."""

    deployed: Deployed
    runtime: str
    done: Counter[str]
    last_lines: Counter[str]
    wakes_at: float | None = None
    spared_until: float = 0.0
    max_running: int = 0
    engine: FakeServer = field(init=False)
    consumer: Process = field(init=False)
    _parts: ExitStack = field(init=False)
    _folder: ExitStack = field(default_factory=ExitStack)
    _root: Path | None = None

    def open(self) -> None:
        """Start both."""
        if self.is_comfyui:
            self._root = Path(self._folder.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
            write_models(self._root / "models")
        self.engine = self._start_engine(0)
        self._start_consumer()

    def close(self) -> None:
        """Stop both."""
        with suppress(ProcessLookupError):
            self.consumer.send(signal.SIGCONT)
        self._parts.close()
        self.engine.kill()
        self._folder.close()

    @property
    def is_comfyui(self) -> bool:
        """Return whether the engine is ComfyUI."""
        return self.runtime == COMFYUI_RUNTIME

    @property
    def may_break(self) -> bool:
        """Return whether the consumer is neither frozen nor was just woken."""
        return self.wakes_at is None and time.monotonic() >= self.spared_until

    def freeze(self) -> None:
        """Freeze the consumer for longer than its leases last."""
        self.consumer.send(signal.SIGSTOP)
        self.wakes_at = time.monotonic() + FROZEN_SECONDS

    def set_fault(self, name: str) -> None:
        """Inject a fault into the engine's next job."""
        wanted = TRUNCATE["comfyui" if self.is_comfyui else "sdwebui"] if name == "truncate" else name
        with suppress(FakeError, OSError):  # it is just being started again
            self.engine.control.set(wanted, jobs=1)

    def restart(self) -> None:
        """Restart what has ended, and wake the consumer if it is time."""
        now = time.monotonic()
        if self.wakes_at is not None and now >= self.wakes_at:
            self.consumer.send(signal.SIGCONT)
            self.wakes_at, self.spared_until = None, now + AWAKE_SECONDS
        if self.consumer.returncode is not None:
            self.done[f"status {self.consumer.returncode}"] += 1
            if self.consumer.returncode == 1:
                self.last_lines[self.consumer.tail(1)[:200]] += 1
            if self.consumer.returncode == REPLACE_ENGINE:
                self.engine.kill()
            self._parts.close()
            self._start_consumer()
        if self.engine.process.returncode is not None:
            self.engine.stop()
            self.engine = self._start_engine(self.engine.port)
        with suppress(FakeError, OSError):
            most = self.engine.control.stats().get("max_running", 0)
            self.max_running = max(self.max_running, most)

    def left_behind(self) -> list[str]:
        """Return the files of tasks that are on the engine's disk."""
        if not isinstance(self.engine, FakeComfyUi):
            return []
        return [str(path) for name in FOLDERS[1:] for path in self.engine.folders[name].rglob("*")]

    def _start_engine(self, port: int) -> FakeServer:
        if self._root is None:
            return start_sdwebui(port=port, **WEBUI)
        return start_comfyui(port=port, **(SPEED | {name: self._root / name for name in FOLDERS}))

    def _start_consumer(self) -> None:
        self._parts = ExitStack()
        started = run_worker(
            self.deployed.aws,
            self.deployed.pipeline.deployment,
            self.deployed.pipeline.deployment.runtime(self.runtime),
            environment=SETTINGS | {"AWS_ENDPOINT_URL": self.deployed.proxy.url},
            engine_url=self.engine.url,
            options=self.engine.options,
        )
        self.consumer = self._parts.enter_context(started).consumer
