"""The loop: one task after the other on the GPU, everything else beside it."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from container.consumer.engines.gpu import Interrupted, ReplaceEngine
from container.consumer.engines.sdwebui.answer import read_result
from container.consumer.engines.sdwebui.faults import AmbiguousError, EnginePoisoned
from container.consumer.lifecycle.finish import AMBIGUOUS_ATTEMPTS
from container.consumer.lifecycle.job import Job, LeaseLost
from container.consumer.lifecycle.stages import Stages, raising
from container.consumer.parts import Parts
from container.consumer.scheduling.prefetch import Prefetcher
from container.consumer.telemetry.logs import about
from domain.clock import now
from domain.errors import ErrorCode, PermanentError, RetryableError
from domain.protocol import start

log = logging.getLogger(__name__)

STORING_AT_ONCE: Final = 2
"""Finished jobs whose images are in memory: one is stored while the next ends. More wait on the GPU."""

WEBUI_BOOT_SECONDS: Final = 600
"""A Web UI that has not answered by then is replaced; recorded ones were ready in 12 to 21 s."""

LOOK_SECONDS: Final = 0.5
"""How often the idle loop looks at its heartbeat and at the order to leave."""


class Worker:
    """Run tasks until told to leave; `leaving` may be set from anywhere."""

    def __init__(self, parts: Parts, leaving: threading.Event) -> None:
        self._parts = parts
        self._leaving = leaving
        self._stages = Stages(parts.outcomes)
        self._poisonings = 0
        self._healed = False
        self._storing = threading.BoundedSemaphore(STORING_AT_ONCE)
        self._finisher = ThreadPoolExecutor(STORING_AT_ONCE, thread_name_prefix="finish")
        self._ahead = Prefetcher(
            prefetch=parts.prefetch,
            pace=parts.pace,
            take=self._take,
            prepare=lambda job: self._stages.run(job, lambda: parts.preparation.prepare(job)),
            start=lambda job: self._stages.run(job, lambda: self._start(job)),
            release=self._stages.release,
            end=lambda job: self._stages.run(job, lambda: self._interrupted(job)),
        )

    def run(self) -> None:
        """Work until `leaving` is set; raise ReplaceEngine when this Web UI is of no more use."""
        self._parts.heartbeat.start()  # before the engine is ready: its file says that this process lives
        try:
            self._await_webui()
        except BaseException:
            self._parts.heartbeat.stop()
            raise
        self._parts.heartbeat.beat()  # the batcher needs the backlog before the first task
        self._parts.protection.start()
        self._parts.pulse.start()
        self._ahead.start()
        threading.Thread(target=self._let_go_when_leaving, name="leaving", daemon=True).start()
        try:
            while not self._leaving.is_set():
                self._parts.heartbeat.check()
                job = self._ahead.next(LOOK_SECONDS) if self._parts.prefetch else self._ahead.take_now()
                if job is not None:
                    with about(job):
                        self._one(job)
        finally:
            self._parts.gpu.clock.switch(on=False)
            self._ahead.close()
            self._finisher.shutdown(wait=True)
            for job in self._parts.heartbeat.jobs():
                self._stages.release(job)
            self._parts.window.release()
            self._parts.heartbeat.stop()
            self._parts.sign_off()
            self._parts.protection.stop()
            self._parts.pulse.stop()

    def _let_go_when_leaving(self) -> None:
        """Give back what has not started as soon as the order to leave comes: the job may run for a while."""
        self._leaving.wait()
        self._ahead.close()
        self._parts.window.release()

    def _take(self) -> Job | None:
        if self._parts.protection.refused and not self._parts.protection.acquire():
            self._leaving.wait(1)  # a deployment waits for this task's end: nothing more is received
            return None
        try:
            job = self._parts.intake.take()
        except (ClientError, BotoCoreError):
            log.warning("nothing could be received", exc_info=True)
            self._leaving.wait(1)
            return None
        if job is not None:
            self._parts.gpu.clock.claimed(job)
            self._parts.heartbeat.add(job)
        return job

    def _start(self, job: Job) -> None:
        """Note that the GPU has the task: from here on a cancel is a request, not an outcome."""
        parts = self._parts
        written = parts.table.write(job.id, start(job.row, seconds=parts.lease_seconds, now=now()))
        if not written.done or written.row is None:
            raise LeaseLost(job.id)
        job.row = written.row
        if parts.notify_running:
            parts.callbacks.publish(written.row)

    def _one(self, job: Job) -> None:
        """Run one job, and leave its answer to the finisher."""
        if self._leaving.is_set():
            self._stages.release(job)
            return
        try:
            answer, checkpoint = self._parts.gpu.infer(job)
        except ReplaceEngine as order:
            fault = RetryableError(ErrorCode.INFERENCE_TIMEOUT, str(order))
            self._finish(job, lambda: self._parts.outcomes.passing(job, fault, attempts=AMBIGUOUS_ATTEMPTS))
            raise
        except Interrupted:
            self._finish(job, lambda: self._interrupted(job))
        except (PermanentError, RetryableError) as fault:
            self._failed(job, fault)
        except Exception as error:  # noqa: BLE001 - `Stages` knows what follows from each
            self._finish(job, raising(error))
        else:
            self._healed = False
            self._finish(job, lambda: self._store(job, answer, checkpoint))
        self._parts.protection.job_ended()

    def _failed(self, job: Job, fault: PermanentError | RetryableError) -> None:
        """End a job that failed; see first whether it is SD Web UI that fails, whatever it is asked."""
        unsure = isinstance(fault, AmbiguousError)
        if isinstance(fault, EnginePoisoned) or (unsure and not self._parts.health.works()):
            self._stages.release(job)
            self._recover()
            return
        self._finish(job, raising(fault))
        if fault.code is ErrorCode.ENGINE_UNAVAILABLE:
            self._ahead.pause()
            self._await_webui()
            self._ahead.resume()

    def _recover(self) -> None:
        """Heal a Web UI that fails every job; raise ReplaceEngine when it helped not, or not for long."""
        self._poisonings += 1
        log.warning("SD Web UI is poisoned: it fails every job", extra={"poisonings": self._poisonings})
        self._ahead.pause()
        self._await_webui()
        if self._leaving.is_set():
            return
        if self._healed or not self._parts.health.heal():
            raise ReplaceEngine("poisoned by a checkpoint that failed to load")
        log.info("SD Web UI works again", extra={"poisonings": self._poisonings})
        self._parts.outcomes.measures.healed()
        self._healed = True
        self._ahead.resume()

    def _finish(self, job: Job, action: Callable[[], None]) -> None:
        """Run `action` beside the GPU (after it with `PREFETCH=0`), with a bound on what waits there."""
        if not self._parts.prefetch:
            self._stages.run(job, action)
            return
        self._storing.acquire()

        def run() -> None:
            try:
                self._stages.run(job, action)
            finally:
                self._storing.release()

        self._finisher.submit(run)

    def _store(self, job: Job, body: bytes, checkpoint: str | None) -> None:
        task = job.message.task
        with job.timed("store"):
            result = read_result(
                body, task.tasktype, task.content, checkpoint=checkpoint, sampler=job.sampler
            )
            stored = self._parts.store.success(job, result)
        self._parts.outcomes.completed(job, stored)

    def _interrupted(self, job: Job) -> None:
        """End a job that was stopped half-way: by its caller, by our leaving, or by a stranger."""
        job.check()
        if job.cancelled.is_set():
            self._parts.outcomes.cancelled(job)
        elif self._leaving.is_set():
            self._parts.outcomes.release(job, count_attempt=False)
        else:
            raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, "Something else interrupted the job.")

    def _await_webui(self) -> None:
        """Wait until Web UI answers and runs nothing; raise ReplaceEngine when it never does."""
        webui = self._parts.webui
        self._parts.gpu.clock.switch(on=False)
        ready = webui.wait_ready(stop=self._leaving, seconds=WEBUI_BOOT_SECONDS)
        idle = ready and webui.wait_idle(stop=self._leaving, seconds=WEBUI_BOOT_SECONDS)
        if not idle and not self._leaving.is_set():
            raise ReplaceEngine(f"SD Web UI was not ready within {WEBUI_BOOT_SECONDS} s")
        self._parts.gpu.clock.switch(on=True)
