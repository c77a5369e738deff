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
    protect: Callable[[], bool]
    """Called before each claim; returns False if ECS wants to stop this ECS task."""

    def claim_next(self) -> Job | None:
        """Claim the next task under a new fence; return None if there is none."""
        waiting = self.batcher.next()
        return self._accept(waiting.delivery, waiting.message) if waiting else None

    def _accept(self, delivery: Delivery, message: Message | None) -> Job | None:
        """Claim a delivered task, or handle its message according to the row."""
        if not self.protect():
            self.queue.release(delivery, 0)
            return None
        if message is None or message.task.runtime != self.runtime:
            log.warning("not a task of this runtime: moved to the dead-letter queue")
            self.queue.dead_letter(delivery)
            return None
        try:
            return self._process(delivery, message)
        except (ClientError, BotoCoreError):
            # Whether claimed or not, no work has begun: the lease ends together with the visibility timeout.
            log.warning("task could not be claimed", exc_info=True, extra={"task_id": message.task.id})
            return None

    def _process(self, delivery: Delivery, message: Message) -> Job | None:
        begun = time.monotonic()
        deliveries = Deliveries(
            table=self.table, claim=self._claim, on_ended=self.finisher.metrics.ended_unclaimed
        )
        next_step = deliveries.process(message)
        if next_step is None:
            log.warning("the row kept changing: left for redelivery", extra={"task_id": message.task.id})
        elif next_step.action is Action.WAIT:
            self.queue.release(delivery, next_step.seconds)
        elif next_step.action is Action.CLAIM and next_step.row is not None:
            job = Job(delivery, message, next_step.row)
            job.seconds["claim"] = time.monotonic() - begun
            return self._claimed(job)
        else:
            if next_step.action is Action.NOTIFY and next_step.row is not None:
                self.results.notify(next_step.row)
            self.queue.delete(delivery)
        return None

    def _claim(self, row: Row) -> Transition:
        return claim(row, worker=self.worker, fence=new_fence(), seconds=self.lease_seconds, now=now())

    def _claimed(self, job: Job) -> Job | None:
        if job.row.cancel_requested:
            # The previous worker died before it could cancel the task.
            self.finisher.cancelled(job)
            return None
        return job
