"""A seeded driver that breaks workers, engines and AWS calls while tasks run."""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from container.consumer.shutdown import REPLACE_ENGINE
from local.fakes.sdwebui.process import FakeWebUi, FakeWebUiError, start
from local.process import Process
from local.worker import run_worker
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
WEBUI: Final[dict[str, Any]] = {"step_seconds": 0.03, "load_seconds": 0.1, "gap_seconds": 0.2}
FAULT_SHARE: Final = 0.05
"""Of all calls to AWS; botocore tries five times, so few of them reach the consumer as an error."""

RECENT: Final = 3
"""So many of the last tasks are likely to be queued or running."""

CHECK_SECONDS: Final = 0.2


@dataclass
class GpuWorker:
    """A GPU worker: a Web UI and its consumer, which ECS would restart."""

    webui: FakeWebUi
    consumer: Process
    parts: ExitStack
    wakes_at: float | None = None
    spared_until: float = 0.0
    max_running: int = 0


@dataclass
class Driver:
    """Injects a fault about every second, in an order that depends on the seed."""

    deployed: Deployed
    seed: int
    gpu_workers: list[GpuWorker] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    last_lines: Counter[str] = field(default_factory=Counter)
    """Last lines of consumers that ended by an exception."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def open(self, count: int) -> None:
        """Start a number of workers."""
        for _ in range(count):
            webui = start(**WEBUI)
            self.gpu_workers.append(GpuWorker(webui, *self._consumer(webui)))

    def close(self) -> None:
        """Stop everything."""
        for gpu_worker in self.gpu_workers:
            with suppress(ProcessLookupError):
                gpu_worker.consumer.send(signal.SIGCONT)
            gpu_worker.parts.close()
            gpu_worker.webui.kill()

    def inject_fault(self) -> None:
        """Inject one fault."""
        action = self._random.choice(
            (
                *(self._kill, self._terminate, self._freeze, self._crash, self._hang),
                *(self._again, self._again, self._interrupt, self._truncate, self._cancel),
                *(self._foreign, self._dead_letter),
            )
        )
        self.done[action.__name__.strip("_")] += 1
        action(self._random.choice(self.gpu_workers), self._task())

    def restart_ended(self, seconds: float) -> None:
        """For a time, restart ended processes and wake frozen ones, as ECS does."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for gpu_worker in self.gpu_workers:
                self._restart(gpu_worker)
            time.sleep(CHECK_SECONDS)

    def stop_faults(self) -> None:
        """Stop injecting faults."""
        self.deployed.proxy.clear()
        for gpu_worker in self.gpu_workers:
            with suppress(FakeWebUiError, OSError):
                gpu_worker.webui.control.clear()

    def _restart(self, gpu_worker: GpuWorker) -> None:
        now = time.monotonic()
        if gpu_worker.wakes_at is not None and now >= gpu_worker.wakes_at:
            gpu_worker.consumer.send(signal.SIGCONT)
            gpu_worker.wakes_at, gpu_worker.spared_until = None, now + AWAKE_SECONDS
        if gpu_worker.consumer.returncode is not None:
            self.done[f"status {gpu_worker.consumer.returncode}"] += 1
            if gpu_worker.consumer.returncode == 1:
                self.last_lines[gpu_worker.consumer.tail(1)[:200]] += 1
            if gpu_worker.consumer.returncode == REPLACE_ENGINE:
                gpu_worker.webui.kill()
            gpu_worker.parts.close()
            gpu_worker.consumer, gpu_worker.parts = self._consumer(gpu_worker.webui)
        if gpu_worker.webui.process.returncode is not None:
            gpu_worker.webui.stop()
            gpu_worker.webui = start(port=gpu_worker.webui.port, **WEBUI)
        with suppress(FakeWebUiError, OSError):
            most = gpu_worker.webui.control.stats()["max_running"]
            gpu_worker.max_running = max(gpu_worker.max_running, most)

    def _consumer(self, webui: FakeWebUi) -> tuple[Process, ExitStack]:
        parts = ExitStack()
        settings = SETTINGS | {"AWS_ENDPOINT_URL": self.deployed.proxy.url}
        started = run_worker(
            self.deployed.aws,
            self.deployed.pipeline.deployment,
            self.deployed.runtime,
            environment=settings,
            engine_url=webui.url,
        )
        return parts.enter_context(started).consumer, parts

    def _task(self) -> str:
        """Draw a task, preferably one that is likely to be queued or running."""
        accepted = list(self.deployed.accepted)
        return self._random.choice(self._random.choice((accepted, accepted[-RECENT:], accepted[-RECENT:])))

    def _free(self, gpu_worker: GpuWorker) -> bool:
        return gpu_worker.wakes_at is None and time.monotonic() >= gpu_worker.spared_until

    def _kill(self, gpu_worker: GpuWorker, _task: str) -> None:
        if self._free(gpu_worker):
            gpu_worker.consumer.kill()

    def _terminate(self, gpu_worker: GpuWorker, _task: str) -> None:
        if self._free(gpu_worker) and gpu_worker.consumer.returncode is None:
            gpu_worker.consumer.send(signal.SIGTERM)

    def _freeze(self, gpu_worker: GpuWorker, _task: str) -> None:
        if self._free(gpu_worker) and gpu_worker.consumer.returncode is None:
            gpu_worker.consumer.send(signal.SIGSTOP)
            gpu_worker.wakes_at = time.monotonic() + FROZEN_SECONDS

    def _crash(self, gpu_worker: GpuWorker, _task: str) -> None:
        self._fault(gpu_worker, "crash")

    def _hang(self, gpu_worker: GpuWorker, _task: str) -> None:
        self._fault(gpu_worker, "hang")

    def _interrupt(self, gpu_worker: GpuWorker, _task: str) -> None:
        self._fault(gpu_worker, "interrupted")

    def _truncate(self, gpu_worker: GpuWorker, _task: str) -> None:
        self._fault(gpu_worker, "truncate")

    def _again(self, _place: GpuWorker, task: str) -> None:
        self.deployed.receive_messages()
        if task in self.deployed.messages:
            self.deployed.publish(self.deployed.messages[task])

    def _cancel(self, _place: GpuWorker, task: str) -> None:
        self.deployed.cancel(task)

    def _foreign(self, _place: GpuWorker, _task: str) -> None:
        self.deployed.publish_foreign(self._random)

    def _dead_letter(self, _place: GpuWorker, task: str) -> None:
        self.deployed.receive_messages()
        if task in self.deployed.messages:
            self.deployed.dead_letter(task)

    def _fault(self, gpu_worker: GpuWorker, name: str) -> None:
        with suppress(FakeWebUiError, OSError):  # it is just being started again
            gpu_worker.webui.control.set(name, jobs=1)


@contextmanager
def driving(deployed: Deployed, *, seed: int, gpu_workers: int) -> Iterator[Driver]:
    """Run a driver with a number of workers until the block ends."""
    driver = Driver(deployed, seed)
    try:
        driver.open(gpu_workers)
        yield driver
    finally:
        driver.close()
