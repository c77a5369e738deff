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
from tests.faults.deployed import Deployed
from tests.faults.soak_task import COMFYUI_RUNTIME

VISIBILITY_SECONDS: Final = 6
FROZEN_SECONDS: Final = VISIBILITY_SECONDS + 2
UNDISTURBED_SECONDS: Final = 5
"""How long a resumed worker is not disturbed: it has lost its lease and needs this time to delete its
objects."""

SETTINGS: Final = {
    "VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
    "RETRY_DELAY_SECONDS": "1",
    "SHUTDOWN_SECONDS": "3",
    "INFERENCE_TIMEOUT_SECONDS": "4",
}
FAKE_OPTIONS: Final[dict[str, Any]] = {"step_seconds": 0.03, "load_seconds": 0.1}
WEBUI_OPTIONS: Final[dict[str, Any]] = FAKE_OPTIONS | {"gap_seconds": 0.2}
TRUNCATING_FAULTS: Final = {"sdwebui": "truncate", "comfyui": "cut-file"}
"""The faults by which images arrive incomplete."""

FOLDERS: Final = ("models", "input", "output", "temp")


@dataclass
class GpuWorker:
    """A GPU worker of a runtime."""

    deployed: Deployed
    runtime: str
    fault_counts: Counter[str]
    last_lines: Counter[str]
    resumes_at: float | None = None
    """When the frozen consumer is resumed; None if it is not frozen."""
    undisturbed_until: float = 0.0
    max_running: int = 0
    """The largest number of jobs that the engine ever ran at once."""
    engine: FakeServer = field(init=False)
    consumer: Process = field(init=False)
    _consumer_stack: ExitStack = field(init=False)
    _folder_stack: ExitStack = field(default_factory=ExitStack)
    _root: Path | None = None

    def start(self) -> None:
        """Start the engine and the consumer."""
        if self.is_comfyui:
            self._root = Path(self._folder_stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
            write_models(self._root / "models")
        self.engine = self._start_engine(0)
        self._start_consumer()

    def close(self) -> None:
        """Stop the engine and the consumer."""
        with suppress(ProcessLookupError):
            self.consumer.send(signal.SIGCONT)
        self._consumer_stack.close()
        self.engine.kill()
        self._folder_stack.close()

    @property
    def is_comfyui(self) -> bool:
        """Return whether the engine is ComfyUI."""
        return self.runtime == COMFYUI_RUNTIME

    @property
    def can_be_disturbed(self) -> bool:
        """Return whether the consumer is neither frozen nor was resumed a moment ago."""
        return self.resumes_at is None and time.monotonic() >= self.undisturbed_until

    def freeze(self) -> None:
        """Freeze the consumer for longer than its leases last."""
        self.consumer.send(signal.SIGSTOP)
        self.resumes_at = time.monotonic() + FROZEN_SECONDS

    def set_fault(self, name: str) -> None:
        """Inject a fault into the engine's next job."""
        fault = TRUNCATING_FAULTS["comfyui" if self.is_comfyui else "sdwebui"] if name == "truncate" else name
        with suppress(FakeError, OSError):  # the engine is starting again at this moment
            self.engine.control.set(fault, jobs=1)

    def restart_or_resume(self) -> None:
        """Restart what has ended, and resume the consumer if it was frozen long enough."""
        now = time.monotonic()
        if self.resumes_at is not None and now >= self.resumes_at:
            self.consumer.send(signal.SIGCONT)
            self.resumes_at, self.undisturbed_until = None, now + UNDISTURBED_SECONDS
        if self.consumer.returncode is not None:
            self.fault_counts[f"status {self.consumer.returncode}"] += 1
            if self.consumer.returncode == 1:
                self.last_lines[self.consumer.tail(1)[:200]] += 1
            if self.consumer.returncode == REPLACE_ENGINE:
                self.engine.kill()
            self._consumer_stack.close()
            self._start_consumer()
        if self.engine.process.returncode is not None:
            self.engine.stop()
            self.engine = self._start_engine(self.engine.port)
        with suppress(FakeError, OSError):
            max_running = self.engine.control.stats().get("max_running", 0)
            self.max_running = max(self.max_running, max_running)

    def remaining_files(self) -> list[str]:
        """Return the files of tasks that are on the engine's disk."""
        if not isinstance(self.engine, FakeComfyUi):
            return []
        return [str(path) for name in FOLDERS[1:] for path in self.engine.folders[name].rglob("*")]

    def _start_engine(self, port: int) -> FakeServer:
        if self._root is None:
            return start_sdwebui(port=port, **WEBUI_OPTIONS)
        return start_comfyui(port=port, **(FAKE_OPTIONS | {name: self._root / name for name in FOLDERS}))

    def _start_consumer(self) -> None:
        self._consumer_stack = ExitStack()
        worker = run_worker(
            self.deployed.aws,
            self.deployed.pipeline.deployment,
            self.deployed.pipeline.deployment.runtime(self.runtime),
            environment=SETTINGS | {"AWS_ENDPOINT_URL": self.deployed.proxy.url},
            engine_url=self.engine.url,
            options=self.engine.options,
        )
        self.consumer = self._consumer_stack.enter_context(worker).consumer
