"""From a message to a claimed task (design, section 4: "a delivery finds…")."""

import logging
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from container.consumer.held import Held
from container.consumer.outcomes import Outcomes
from container.consumer.ports import Queue, State
from container.consumer.queue import Delivery
from domain.clock import now
from domain.delivery import Action, Decision, decide
from domain.errors import BadMessage
from domain.message import Message
from domain.protocol import abandon, claim, new_row, submit
from domain.row import Row, draw_fence
from domain.transition import Transition

log = logging.getLogger(__name__)

RECEIVE_SECONDS = 5
"""Long poll: short enough that a leaving worker is not held up by it, cheap enough (one call in 5 s)."""

MAX_ROUNDS = 20
"""Decisions on one delivery; a row changes hands a few times at most between two of them."""


@dataclass(slots=True)
class Intake:
    """Receive messages and claim their tasks; at most one message at a time is held unclaimed."""

    queue: Queue
    state: State
    outcomes: Outcomes
    runtime: str
    worker: str
    lease_seconds: int
    counts_receptions: bool = False
    """Without a table, `ApproximateReceiveCount` stands in for tries."""

    def take(self) -> Held | None:
        """Return the next task under our own fence, or None when none came."""
        deliveries = self.queue.receive(wait_seconds=RECEIVE_SECONDS)
        return self.accept(deliveries[0]) if deliveries else None

    def accept(self, delivery: Delivery) -> Held | None:
        """Claim a delivered task, or do with the message what its row asks for."""
        try:
            message = Message.decode(delivery.body)
        except BadMessage as bad:
            self._bury(delivery, str(bad)[:200])
            return None
        if message.task.runtime != self.runtime:
            self._bury(delivery, "it is for another runtime")
            return None
        try:
            return self._settle(delivery, message)
        except (ClientError, BotoCoreError):
            # Claimed or not, nothing has begun: the lease runs out with the visibility timeout.
            log.warning("task could not be claimed", exc_info=True, extra={"task_id": message.task.id})
            return None

    def _bury(self, delivery: Delivery, reason: str) -> None:
        log.warning("message is not ours: to the dead-letter queue", extra={"reason": reason})
        self.queue.bury(delivery)

    def _settle(self, delivery: Delivery, message: Message) -> Held | None:
        # First straight for the claim: on the common way it is the one write that is needed.
        row: Row | None = Row(
            {"id": message.task.id, "attempt": message.attempt, "runtime": message.task.runtime},
        )
        decision = Decision(Action.CLAIM)
        for _ in range(MAX_ROUNDS):
            if decision.action is Action.ADOPT:
                row = self.state.write(message.task.id, submit(self._new_item(delivery, message))).row
            elif decision.action is Action.WAIT:
                self.queue.give_back(delivery, decision.seconds)
                return None
            elif row is None or decision.action is Action.DROP:
                self.queue.delete(delivery)
                return None
            elif decision.action is Action.TELL:
                self.outcomes.tell(row)
                self.queue.delete(delivery)
                return None
            elif decision.action is Action.ABANDON:
                transition = abandon(row, now=now(), code=decision.code, message=decision.message)
                row = self.state.write(message.task.id, transition).row
            else:
                written = self.state.write(message.task.id, self._claim(row))
                if written.done and written.row is not None:
                    return self._claimed(Held(delivery, message, written.row))
                row = written.row
            decision = decide(row, message, now())
        log.warning("row would not settle, left for redelivery", extra={"task_id": message.task.id})
        return None

    def _claim(self, row: Row) -> Transition:
        return claim(row, worker=self.worker, fence=draw_fence(), seconds=self.lease_seconds, now=now())

    def _new_item(self, delivery: Delivery, message: Message) -> dict[str, Any]:
        """Return the row of a task that was published to the topic directly, or that no table remembers."""
        digest = message.task.digest if message.content_ref is None else ""
        item = new_row(message, digest=digest, now=now())
        item["published_at"] = message.submitted_at
        if self.counts_receptions:
            item["tries"] = delivery.receive_count - 1
        return item

    def _claimed(self, held: Held) -> Held | None:
        if held.row.cancel_requested:
            # Its worker died before it could obey.
            self.outcomes.cancelled(held)
            return None
        return held
