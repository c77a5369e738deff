"""The main loop: run jobs on the engine one after the other, with everything else in other threads."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from container.consumer.engines.base import Engine, ReplaceEngine, Verdict
from container.consumer.job import ActiveJobs, Job
from container.consumer.lifecycle.task_run import Ran, TaskRun
from container.consumer.liveness.heartbeat import Heartbeat
from container.consumer.liveness.scale_in_protection import Protection
from container.consumer.receiving.batching import AffinityBatcher
from container.consumer.receiving.registry import WorkerRegistry
from container.consumer.scheduling.prefetch import Prefetcher
from container.consumer.telemetry.model_reporter import ModelReporter
from container.consumer.telemetry.task_metrics import TaskMetrics
from container.consumer.telemetry.utilization import GpuUtilization
from container.consumer.telemetry.worker_metrics import WorkerMetrics

log = logging.getLogger(__name__)

STORING_AT_ONCE: Final = 2
"""How many finished jobs may have their images in memory: one is stored while the next one ends. Further ones
wait on the GPU."""

HOLD_SECONDS: Final = 0.25
"""How long at most a response waits for the next job's request before it is read: loading a model between two
jobs may take minutes."""

BOOT_SECONDS: Final = 600
"""An engine that does not respond within this time is replaced."""

CHECK_SECONDS: Final = 0.5
"""How often the idle loop checks its heartbeat and whether it has to shut down."""


class Worker:
    """Runs tasks until `shutting_down` is set."""

    def __init__(
        self,
        *,
        tasks: TaskRun,
        engine: Engine,
        prefetcher: Prefetcher,
        batcher: AffinityBatcher,
        jobs: ActiveJobs,
        heartbeat: Heartbeat,
        protection: Protection,
        registry: WorkerRegistry,
        gpu: GpuUtilization,
        task_metrics: TaskMetrics,
        worker_metrics: WorkerMetrics,
        model_reporter: ModelReporter,
        shutting_down: threading.Event,
    ) -> None:
        self._tasks = tasks
        self._engine = engine
        self._prefetcher = prefetcher
        self._batcher = batcher
        self._jobs = jobs
        self._heartbeat = heartbeat
        self._protection = protection
        self._registry = registry
        self._gpu = gpu
        self._task_metrics = task_metrics
        self._worker_metrics = worker_metrics
        self._model_reporter = model_reporter
        self._shutting_down = shutting_down
        self._breakdowns = 0
        self._healed = False
        self._storing = threading.BoundedSemaphore(STORING_AT_ONCE)
        self._next_sent = threading.Event()
        self._finishing = ThreadPoolExecutor(STORING_AT_ONCE, thread_name_prefix="finish")

    def run(self) -> None:
        """Work until `shutting_down` is set; raise ReplaceEngine if the engine cannot be used any more."""
        self._heartbeat.start()  # before the engine is ready: its file shows that this process is alive
        try:
            self._await_engine(warm_up=True)
            self._heartbeat.beat()  # the batcher needs the backlog before the first task
            self._protection.start()
            self._worker_metrics.start()
            self._model_reporter.start()
            self._prefetcher.start()
            threading.Thread(
                target=self._release_on_shutdown, name="release-on-shutdown", daemon=True
            ).start()
            while not self._shutting_down.is_set():
                self._heartbeat.check()
                job = self._next_job()
                if job is not None:
                    self._run(job)
        except ReplaceEngine as error:
            self._task_metrics.engine_unhealthy(str(error))
            raise
        finally:
            self._close()

    def _close(self) -> None:
        self._gpu.switch(on=False)
        self._next_sent.set()
        self._prefetcher.close()
        self._finishing.shutdown(wait=True)
        for job in self._jobs.all():
            self._tasks.release(job)
        self._batcher.release()
        self._heartbeat.stop()
        self._registry.unregister()
        self._protection.stop()
        self._worker_metrics.stop()
        self._model_reporter.stop()

    def _release_on_shutdown(self) -> None:
        """Release tasks that have not started when the shutdown begins; the running job may take a while."""
        self._shutting_down.wait()
        self._prefetcher.close()
        self._batcher.release()

    def _next_job(self) -> Job | None:
        if self._prefetcher.beside and (job := self._prefetcher.next(0)) is not None:
            return job
        self._next_sent.set()  # no request follows at once
        return self._prefetcher.next(CHECK_SECONDS)

    def _run(self, job: Job) -> None:
        """Run one job, hand its response to another thread, and check whether the engine works."""
        if self._shutting_down.is_set():
            self._tasks.release(job)
            return
        next_sent = self._next_sent
        try:
            ran = self._tasks.run(job, next_sent.set)
        finally:
            next_sent.set()
        verdict = Verdict.TASK if ran.error is None else self._engine.diagnose(ran.error)
        if verdict is Verdict.BROKEN:
            self._tasks.release(job)
            self._heal()
            return
        if ran.error is None:
            self._healed = False
        self._finish(job, ran)
        if verdict is Verdict.UNREACHABLE:
            self._prefetcher.pause()
            self._await_engine()
            self._prefetcher.resume()

    def _finish(self, job: Job, ran: Ran) -> None:
        """Finish a task in another thread, with a bound on how many wait there.

        Reading a response of several MB would delay the next job, so that its request is sent first.
        """
        if not self._prefetcher.beside:
            self._tasks.finish(job, ran)
            return
        self._storing.acquire()
        next_sent = self._next_sent = threading.Event()

        def finish() -> None:
            next_sent.wait(HOLD_SECONDS)
            try:
                self._tasks.finish(job, ran)
            finally:
                self._storing.release()

        self._finishing.submit(finish)

    def _heal(self) -> None:
        """Heal an engine that fails every job; raise ReplaceEngine if that did not help, or not for long."""
        self._breakdowns += 1
        log.warning("the engine fails every job", extra={"breakdowns": self._breakdowns})
        self._prefetcher.pause()
        self._await_engine()
        if self._shutting_down.is_set():
            return
        if self._healed or not self._engine.heal():
            raise ReplaceEngine("it fails every job since a model failed to load")
        log.info("the engine works again", extra={"breakdowns": self._breakdowns})
        self._task_metrics.engine_recovered()
        self._healed = True
        self._prefetcher.resume()

    def _await_engine(self, *, warm_up: bool = False) -> None:
        """Wait until the engine responds and is idle; raise ReplaceEngine if that never happens."""
        self._gpu.switch(on=False)
        ready = self._engine.wait_ready(self._shutting_down, BOOT_SECONDS)
        if ready and warm_up:
            self._engine.warm_up(self._shutting_down)
            # If it took too long, its job may still run.
            ready = self._engine.wait_ready(self._shutting_down, BOOT_SECONDS)
        if not ready and not self._shutting_down.is_set():
            raise ReplaceEngine(f"it was not ready within {BOOT_SECONDS} s")
        self._gpu.switch(on=True)
