"""Claim the task of a delivered message."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from adapters.table import Table
from container.consumer.job import Delivery, Job
from container.consumer.lifecycle.finish import Finisher
from container.consumer.receiving.batching import AffinityBatcher
from container.consumer.receiving.queue import SqsQueue
from domain.clock import now
from domain.delivery import Action, Decision, decide
from domain.message import Message
from domain.protocol import abandon, claim, new_row, submit
from domain.row import Row, new_fence
from domain.transition import Transition

log = logging.getLogger(__name__)

MAX_ROUNDS = 20
"""Maximum number of decisions on one delivery; between two of them a row changes only a few times."""


@dataclass(slots=True)
class Claimer:
    """Claims the tasks of waiting messages."""

    batcher: AffinityBatcher
    queue: SqsQueue
    table: Table
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
            return self._settle(delivery, message)
        except (ClientError, BotoCoreError):
            # Whether claimed or not, no work has begun: the lease ends together with the visibility timeout.
            log.warning("task could not be claimed", exc_info=True, extra={"task_id": message.task.id})
            return None

    def _settle(self, delivery: Delivery, message: Message) -> Job | None:
        begun = time.monotonic()
        # Tries to claim without reading the row first, so that the common case needs a single write.
        row: Row | None = Row(
            {"id": message.task.id, "submission_id": message.submission_id, "runtime": message.task.runtime},
        )
        decision = Decision(Action.CLAIM)
        for _ in range(MAX_ROUNDS):
            if decision.action is Action.ADOPT:
                row = self.table.write(message.task.id, submit(_new_item(message))).row
            elif decision.action is Action.WAIT:
                self.queue.release(delivery, decision.seconds)
                return None
            elif row is None or decision.action is Action.DROP:
                self.queue.delete(delivery)
                return None
            elif decision.action is Action.NOTIFY:
                self.finisher.notify(row)
                self.queue.delete(delivery)
                return None
            elif decision.action is Action.ABANDON:
                transition = abandon(row, now=now(), code=decision.code, message=decision.message)
                written = self.table.write(message.task.id, transition)
                row = written.row
                if written.done and row is not None:
                    self.finisher.metrics.abandoned(row, decision.code)
            else:
                written = self.table.write(message.task.id, self._claim(row))
                if written.done and written.row is not None:
                    job = Job(delivery, message, written.row)
                    job.seconds["claim"] = time.monotonic() - begun
                    return self._claimed(job)
                row = written.row
            decision = decide(row, message, now())
        log.warning("the row kept changing: left for redelivery", extra={"task_id": message.task.id})
        return None

    def _claim(self, row: Row) -> Transition:
        return claim(row, worker=self.worker, fence=new_fence(), seconds=self.lease_seconds, now=now())

    def _claimed(self, job: Job) -> Job | None:
        if job.row.cancel_requested:
            # The previous worker died before it could cancel the task.
            self.finisher.cancelled(job)
            return None
        return job


def _new_item(message: Message) -> dict[str, Any]:
    """Return the row for a task without one: it was published to the topic directly, not through the API."""
    digest = message.task.digest if message.content_ref is None else ""
    item = new_row(message, digest=digest, now=now())
    item["published_at"] = message.submitted_at
    return item
