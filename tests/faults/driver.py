"""A seeded driver that breaks workers, engines and AWS calls while tasks run."""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from local.fakes.process import FakeError
from tests.faults.deployed import Deployed
from tests.faults.gpu_workers import GpuWorker

FAULT_FRACTION: Final = 0.05
"""The fraction of calls to AWS that fail. botocore tries five times, so few of them reach the consumer."""

RECENT_TASKS: Final = 3
"""How many of the last tasks are likely to be still queued or running."""

CHECK_SECONDS: Final = 0.2


@dataclass
class Driver:
    """Injects a fault about every second, in an order that depends on the seed."""

    deployed: Deployed
    seed: int
    gpu_workers: list[GpuWorker] = field(default_factory=list)
    fault_counts: Counter[str] = field(default_factory=Counter)
    """The injected faults, and the exit statuses of consumers."""
    last_lines: Counter[str] = field(default_factory=Counter)
    """Last lines of consumers that ended by an exception."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def start_workers(self, runtimes: Sequence[str]) -> None:
        """Start a worker of each of these runtimes."""
        for runtime in runtimes:
            gpu_worker = GpuWorker(self.deployed, runtime, self.fault_counts, self.last_lines)
            gpu_worker.start()
            self.gpu_workers.append(gpu_worker)

    def close(self) -> None:
        """Stop all workers."""
        for gpu_worker in self.gpu_workers:
            gpu_worker.close()

    def inject_fault(self) -> None:
        """Inject one fault."""
        action = self._random.choice(
            (
                *(self._kill, self._terminate, self._freeze, self._crash, self._hang),
                *(self._publish_again, self._publish_again, self._interrupt, self._truncate, self._cancel),
                *(self._foreign, self._dead_letter),
            )
        )
        self.fault_counts[action.__name__.strip("_")] += 1
        action(self._random.choice(self.gpu_workers), self._choose_task())

    def restart_ended(self, seconds: float) -> None:
        """For some seconds, restart processes that have ended, as ECS does, and resume frozen ones."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for gpu_worker in self.gpu_workers:
                gpu_worker.restart_or_resume()
            time.sleep(CHECK_SECONDS)

    def stop_faults(self) -> None:
        """Stop injecting faults."""
        self.deployed.proxy.clear()
        for gpu_worker in self.gpu_workers:
            with suppress(FakeError, OSError):
                gpu_worker.engine.control.clear()

    def _choose_task(self) -> str:
        """Choose a task at random, preferably one that is likely to be queued or running."""
        accepted = list(self.deployed.accepted)
        return self._random.choice(
            self._random.choice((accepted, accepted[-RECENT_TASKS:], accepted[-RECENT_TASKS:]))
        )

    def _kill(self, gpu_worker: GpuWorker, _task: str) -> None:
        if gpu_worker.can_be_disturbed:
            gpu_worker.consumer.kill()

    def _terminate(self, gpu_worker: GpuWorker, _task: str) -> None:
        if gpu_worker.can_be_disturbed and gpu_worker.consumer.returncode is None:
            gpu_worker.consumer.send(signal.SIGTERM)

    def _freeze(self, gpu_worker: GpuWorker, _task: str) -> None:
        if gpu_worker.can_be_disturbed and gpu_worker.consumer.returncode is None:
            gpu_worker.freeze()

    def _crash(self, gpu_worker: GpuWorker, _task: str) -> None:
        gpu_worker.set_fault("crash")

    def _hang(self, gpu_worker: GpuWorker, _task: str) -> None:
        gpu_worker.set_fault("hang")

    def _interrupt(self, gpu_worker: GpuWorker, _task: str) -> None:
        gpu_worker.set_fault("interrupted")

    def _truncate(self, gpu_worker: GpuWorker, _task: str) -> None:
        gpu_worker.set_fault("truncate")

    def _publish_again(self, _gpu_worker: GpuWorker, task: str) -> None:
        self.deployed.receive_messages()
        if task in self.deployed.messages:
            self.deployed.publish_again(task)

    def _cancel(self, _gpu_worker: GpuWorker, task: str) -> None:
        self.deployed.cancel(task)

    def _foreign(self, _gpu_worker: GpuWorker, _task: str) -> None:
        self.deployed.publish_foreign(self._random)

    def _dead_letter(self, _gpu_worker: GpuWorker, task: str) -> None:
        self.deployed.receive_messages()
        if task in self.deployed.messages:
            self.deployed.dead_letter(task)


@contextmanager
def run_driver(deployed: Deployed, *, seed: int, gpu_workers: Sequence[str]) -> Iterator[Driver]:
    """Run a driver with a worker of each of some runtimes until the block ends."""
    driver = Driver(deployed, seed)
    try:
        driver.start_workers(gpu_workers)
        yield driver
    finally:
        driver.close()
