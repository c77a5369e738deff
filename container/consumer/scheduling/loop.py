"""The main loop: run jobs on the engine one after the other, with everything else in other threads."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from container.consumer.engines.base import Engine, ReplaceEngine, Verdict
from container.consumer.job import ActiveJobs, Job
from container.consumer.lifecycle.task_run import RunResult, TaskRun
from container.consumer.liveness.heartbeat import Heartbeat
from container.consumer.liveness.scale_in_protection import Protection
from container.consumer.receiving.batching import AffinityBatcher
from container.consumer.receiving.registry import WorkerRegistry
from container.consumer.scheduling.prefetch import Prefetcher
from container.consumer.telemetry.engine_reporter import EngineReporter
from container.consumer.telemetry.task_metrics import TaskMetrics
from container.consumer.telemetry.utilization import GpuUtilization
from container.consumer.telemetry.worker_metrics import WorkerMetrics

log = logging.getLogger(__name__)

MAX_STORING: Final = 2
"""How many jobs' images may be in memory: one job is stored while the next one ends. A third one is not run
until there is room."""

READ_DELAY_SECONDS: Final = 0.25
"""How long a response may wait, so that the next job's request is sent before it is read. It waits no longer,
because loading a model between the two jobs may take minutes."""

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
        engine_reporter: EngineReporter,
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
        self._engine_reporter = engine_reporter
        self._shutting_down = shutting_down
        self._engine_failures = 0
        self._just_recovered = False
        self._storing = threading.BoundedSemaphore(MAX_STORING)
        self._next_sent = threading.Event()
        self._finishing = ThreadPoolExecutor(MAX_STORING, thread_name_prefix="finish")

    def run(self) -> None:
        """Work until `shutting_down` is set; raise ReplaceEngine if the engine cannot be used any more."""
        self._heartbeat.start()  # before the engine is ready: its file shows that this process is alive
        try:
            self._await_engine(warm_up=True)
            self._heartbeat.beat()  # the batcher needs the backlog before the first task
            self._protection.start()
            self._worker_metrics.start()
            self._engine_reporter.start()
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
            self._task_metrics.record_unhealthy_engine(str(error))
            raise
        finally:
            self._close()

    def _close(self) -> None:
        self._registry.begin_end()
        self._gpu.engine_ready = False
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
        self._engine_reporter.stop()

    def _release_on_shutdown(self) -> None:
        """Release tasks that have not started when the shutdown begins; the running job may take a while."""
        self._shutting_down.wait()
        self._prefetcher.close()
        self._batcher.release()

    def _next_job(self) -> Job | None:
        if self._prefetcher.uses_threads and (job := self._prefetcher.next(0)) is not None:
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
            run_result = self._tasks.run(job, next_sent.set)
        finally:
            next_sent.set()
        verdict = Verdict.TASK if run_result.error is None else self._engine.diagnose(run_result.error)
        if verdict is Verdict.BROKEN:
            self._tasks.release(job)
            self._recover_engine()
            return
        if run_result.error is None:
            self._just_recovered = False
        self._finish(job, run_result)
        if verdict is Verdict.UNREACHABLE:
            self._prefetcher.pause()
            self._await_engine()
            self._prefetcher.resume()

    def _finish(self, job: Job, run_result: RunResult) -> None:
        """Finish a task in another thread, with a bound on how many wait there.

        Reading a response of several MB would delay the next job, so that its request is sent first.
        """
        if not self._prefetcher.uses_threads:
            self._tasks.finish(job, run_result)
            return
        self._storing.acquire()
        next_sent = self._next_sent = threading.Event()

        def finish() -> None:
            next_sent.wait(READ_DELAY_SECONDS)
            try:
                self._tasks.finish(job, run_result)
            finally:
                self._storing.release()

        self._finishing.submit(finish)

    def _recover_engine(self) -> None:
        """Make an engine work again that fails every job; raise ReplaceEngine if that fails.

        An engine that fails again before any job has succeeded is replaced too.
        """
        self._engine_failures += 1
        log.warning("the engine fails every job", extra={"engine_failures": self._engine_failures})
        self._prefetcher.pause()
        self._await_engine()
        if self._shutting_down.is_set():
            return
        if self._just_recovered or not self._engine.recover():
            raise ReplaceEngine("it fails every job since a model failed to load")
        log.info("the engine works again", extra={"engine_failures": self._engine_failures})
        self._task_metrics.record_unhealthy_engine("recovered")
        self._just_recovered = True
        self._prefetcher.resume()

    def _await_engine(self, *, warm_up: bool = False) -> None:
        """Wait until the engine responds and is idle; raise ReplaceEngine if that never happens."""
        self._gpu.engine_ready = False
        ready = self._engine.wait_ready(self._shutting_down, BOOT_SECONDS)
        if ready and warm_up:
            self._engine.warm_up(self._shutting_down)
            # If it took too long, its job may still run.
            ready = self._engine.wait_ready(self._shutting_down, BOOT_SECONDS)
        if not ready and not self._shutting_down.is_set():
            raise ReplaceEngine(f"it was not ready within {BOOT_SECONDS} s")
        self._gpu.engine_ready = ready
