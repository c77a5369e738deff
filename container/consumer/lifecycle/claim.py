"""Claim the task of a delivered message."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from adapters.deliveries import Deliveries
from adapters.results import Results
from adapters.table import Table
from container.consumer.job import Delivery, Job
from container.consumer.lifecycle.finish import Finisher
from container.consumer.receiving.batching import AffinityBatcher
from container.consumer.receiving.queue import SqsQueue
from domain.clock import now
from domain.delivery import Action
from domain.message import Message
from domain.protocol import claim
from domain.row import Row, new_fence
from domain.transition import Transition

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Claimer:
    """Claims the tasks of waiting messages."""

    batcher: AffinityBatcher
    queue: SqsQueue
    table: Table
    results: Results
    finisher: Finisher
    runtime: str
    worker: str
    lease_seconds: int
    protect_from_scale_in: Callable[[], bool]
    """Called before each claim; returns False if ECS is about to stop this ECS task."""

    def claim_next(self) -> Job | None:
        """Claim the next task under a new fence; return None if there is none."""
        waiting = self.batcher.next()
        return self._claim_or_handle(waiting.delivery, waiting.message) if waiting else None

    def _claim_or_handle(self, delivery: Delivery, message: Message | None) -> Job | None:
        """Claim a delivered task, or handle its message according to the row."""
        if not self.protect_from_scale_in():
            self.queue.release(delivery, 0)
            return None
        if message is None or message.task.runtime != self.runtime:
            log.warning(
                "a message is no task of this runtime: moving it to the dead-letter queue",
                extra={"message_id": delivery.message_id},
            )
            self.queue.dead_letter(delivery)
            return None
        try:
            return self._claim_by_row(delivery, message)
        except (ClientError, BotoCoreError):
            # The claim may have been written although AWS failed. Nothing is done about it, because its lease
            # expires when the message becomes visible again.
            log.warning("a task could not be claimed", exc_info=True, extra={"task_id": message.task.id})
            return None

    def _claim_by_row(self, delivery: Delivery, message: Message) -> Job | None:
        started_at = time.monotonic()
        deliveries = Deliveries(
            table=self.table,
            claim=self._claim_transition,
            on_ended=self.finisher.metrics.record_unclaimed_failure,
        )
        next_step = deliveries.process(message)
        if next_step is None:
            log.warning(
                "a task's row kept changing: its message will be delivered again",
                extra={"task_id": message.task.id},
            )
        elif next_step.action is Action.WAIT:
            self.queue.release(delivery, next_step.seconds)
        elif next_step.action is Action.CLAIM and next_step.row is not None:
            job = Job(delivery, message, next_step.row)
            job.stage_seconds["claim"] = time.monotonic() - started_at
            return self._unless_cancelled(job)
        else:
            if next_step.action is Action.NOTIFY and next_step.row is not None:
                self.results.notify(next_step.row)
            self.queue.delete(delivery)
        return None

    def _claim_transition(self, row: Row) -> Transition:
        return claim(row, worker=self.worker, fence=new_fence(), seconds=self.lease_seconds, now=now())

    def _unless_cancelled(self, job: Job) -> Job | None:
        if job.row.cancel_requested:
            # A worker that had the task before died before it could cancel it.
            self.finisher.cancel(job)
            return None
        return job
