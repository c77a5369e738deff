"""Shut down in time, even if something hangs, after SIGTERM (deployment, scale-in, spot interruption)."""

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from container.consumer.job import ActiveJobs, Job
from container.consumer.lifecycle.finish import Finisher
from container.consumer.lifecycle.run import EngineRunner
from container.consumer.receiving.batching import AffinityBatcher
from container.consumer.telemetry.duration import DurationEstimator
from container.consumer.telemetry.task_metrics import TaskMetrics

log = logging.getLogger(__name__)

REPLACE_ENGINE: Final = 75
"""Exit status (EX_TEMPFAIL) on which ECS replaces the whole task instead of restarting the container."""

LAST_WRITES_SECONDS: Final = 8
"""Time between the interrupt and the end of the process, for the last writes, or for an engine that hangs."""

RELEASE_SECONDS: Final = 4
"""How long releasing jobs may take at the very end, in case AWS hangs too."""

RECEIVE_SECONDS: Final = 1.0
"""How long to wait for a receive under way, which may take a message that was just released."""

CHECK_SECONDS: Final = 0.25

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_UNKNOWN: Final = float("inf")


class ProcessEnd:
    """Releases all jobs and ends the process within a few seconds, even if something hangs."""

    def __init__(
        self,
        jobs: ActiveJobs,
        batcher: AffinityBatcher,
        finisher: Finisher,
        metrics: TaskMetrics,
        *,
        exit_process: Callable[[int], None],
    ) -> None:
        self._jobs = jobs
        self._batcher = batcher
        self._finisher = finisher
        self._metrics = metrics
        self._exit_process = exit_process
        self._ending = threading.Lock()

    def replace_engine(self, reason: str) -> None:
        """End the process with the status on which ECS replaces the whole task, engine included."""
        log.error("the engine must be replaced", extra={"reason": reason})
        self._metrics.record_unhealthy_engine(reason)
        self.end(REPLACE_ENGINE)

    def end(self, status: int) -> None:
        """Release all jobs and exit without waiting for any other thread."""
        if not self._ending.acquire(blocking=False):
            return
        deadline = time.monotonic() + RELEASE_SECONDS
        _run_until(
            deadline, [self._batcher.release, *(partial(self._release, job) for job in self._jobs.all())]
        )
        _run_until(deadline, [partial(self._batcher.close, RECEIVE_SECONDS)])
        self._exit_process(status)

    def _release(self, job: Job) -> None:
        self._finisher.release(job, count_attempt=False)


def _run_until(deadline: float, actions: Sequence[Callable[[], None]]) -> None:
    """Run actions at the same time and wait for them, at most until a deadline of the monotonic clock."""
    threads = [threading.Thread(target=action, name="release", daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _leave_to_thread(_number: int, _frame: Any) -> None:
    """Do nothing: the interpreter has written the signal's number to the socket already."""


class GracefulShutdown:
    """Shuts the worker down on the first signal, stopping a job that takes too long; exits on the second."""

    def __init__(
        self,
        runner: EngineRunner,
        durations: DurationEstimator,
        process_end: ProcessEnd,
        shutting_down: threading.Event,
        *,
        shutdown_seconds: float,
    ) -> None:
        self._runner = runner
        self._durations = durations
        self._process_end = process_end
        self._shutting_down = shutting_down
        self._shutdown_seconds = shutdown_seconds
        self._signals, self._wakeup = socket.socketpair()

    def install(self) -> None:
        """Handle SIGTERM and SIGINT in a thread of its own.

        Python's handlers run in the main thread, which would not notice a signal that comes just before it
        begins to wait for the engine.
        """
        self._wakeup.setblocking(False)  # noqa: FBT003 - positional only
        signal.set_wakeup_fd(self._wakeup.fileno())
        for number in SIGNALS:
            signal.signal(number, _leave_to_thread)
        threading.Thread(target=self._listen, name="signals", daemon=True).start()

    def _listen(self) -> None:
        while numbers := self._signals.recv(1):
            if numbers[0] in SIGNALS:
                self._signalled(numbers[0])

    def _signalled(self, number: int) -> None:
        is_second_signal = self._shutting_down.is_set()
        self._shutting_down.set()
        threading.Thread(
            target=self._process_end.end if is_second_signal else self._watch,
            args=(1,) if is_second_signal else (signal.Signals(number).name,),
            name="shutdown",
            daemon=True,
        ).start()

    def _watch(self, name: str) -> None:
        """Interrupt the running job once it cannot end in time; end the process if that does not help."""
        log.info("shutting down", extra={"signal": name})
        self._runner.prepare_shutdown()
        deadline = time.monotonic() + self._shutdown_seconds
        while (seconds_left := deadline - time.monotonic()) > 0:
            # The progress was read by the heartbeat, because asking the engine here could hang. A job without
            # progress gets all the time that is left, because an estimate from other jobs may be wrong.
            if seconds_left < self._durations.observed_remaining() < _UNKNOWN:
                break
            time.sleep(min(CHECK_SECONDS, seconds_left))
        running_job = self._runner.running_job
        if running_job is not None:
            log.info("interrupting the running job: it cannot end in time", extra={"task_id": running_job.id})
            self._runner.stop(running_job)
        time.sleep(LAST_WRITES_SECONDS)
        log.warning("the shutdown takes too long: releasing all jobs and exiting")
        self._process_end.end(1)
