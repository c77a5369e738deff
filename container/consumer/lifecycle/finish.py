"""How a task in hand ends: finished and told, or given back."""

import logging
from contextlib import suppress
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from adapters.litter import Litter
from container.consumer.lifecycle.job import Held, LetGo
from container.consumer.lifecycle.outputs import Store, Stored
from container.consumer.ports import Callbacks, Queue, State
from container.consumer.telemetry.task_metrics import Measures
from domain.clock import now
from domain.errors import ErrorCode, PassingFault, TaskFailed
from domain.limits import MAX_TRIES
from domain.metrics import NAMESPACE, UNKNOWN
from domain.protocol import finish, give_back
from domain.row import Row, Status

log = logging.getLogger(__name__)

FIRST_DELAY_SECONDS = 5
MAX_DELAY_SECONDS = 300
"""A passing fault's delay doubles from 5 s: five tries span some two and a half minutes."""

UNSURE_TRIES = 2
"""A fault that may be anybody's gets one more try, then it is the task's."""


@dataclass(slots=True)
class Outcomes:
    """End tasks: rows first, then objects and callbacks follow, the message goes last."""

    queue: Queue
    state: State
    callbacks: Callbacks
    store: Store
    litter: Litter
    first_delay_seconds: int = FIRST_DELAY_SECONDS
    measures: Measures = field(default_factory=lambda: Measures(NAMESPACE, UNKNOWN))

    def completed(self, held: Held, stored: Stored) -> None:
        """Finish a task with its images."""
        self._finish(held, Status.COMPLETED, stored=stored)

    def cancelled(self, held: Held) -> None:
        """Finish a task that its caller cancelled."""
        error = {"code": ErrorCode.CANCELLED.value, "message": "Cancelled by its caller."}
        self._finish(held, Status.CANCELLED, error=error)

    def failed(self, held: Held, fault: TaskFailed | PassingFault) -> None:
        """Finish a task with an error."""
        error = {"code": fault.code.value, "message": fault.message}
        stored = self.store.failure(held, error, fault.response)
        self._finish(held, Status.FAILED, stored=stored, error=error)

    def passing(self, held: Held, fault: PassingFault, *, tries: int = MAX_TRIES) -> None:
        """Give a task back with a growing delay, or fail it with what it met when its tries are spent."""
        if held.row.tries >= tries:
            self.failed(held, fault)
            return
        delay = min(self.first_delay_seconds * 2 ** max(held.row.tries - 1, 0), MAX_DELAY_SECONDS)
        met = {"code": fault.code.value, "message": fault.message}
        self.give_back(held, spend_try=True, delay_seconds=delay, met=met)

    def give_back(
        self,
        held: Held,
        *,
        spend_try: bool,
        delay_seconds: int = 0,
        met: dict[str, str] | None = None,
    ) -> None:
        """Let go of a task so that another worker has it after `delay_seconds`."""
        written = self.state.write(held.id, give_back(held.row, spend_try=spend_try, met=met))
        if not written.done and written.row is not None and self._ours(held, written.row):
            self.cancelled(held)  # a cancel was asked for: this is its answer
            return
        held.settled.set()
        log.info("task given back", extra={"task_id": held.id, "delay_seconds": delay_seconds})
        self.measures.given_back(held, spent_try=spend_try, code=(met or {}).get("code", ""))
        self.queue.give_back(held.delivery, delay_seconds)

    def tell(self, row: Row) -> None:
        """Send the callback of a finished row, once nothing but its outcome's objects is left."""
        self.litter.clear(row)
        self.callbacks.tell(row)

    def _finish(
        self,
        held: Held,
        status: Status,
        *,
        stored: Stored | None = None,
        error: dict[str, str] | None = None,
    ) -> None:
        transition = finish(
            held.row,
            status,
            now=now(),
            images=stored.images if stored else (),
            output=stored.output if stored else None,
            error=error,
        )
        written = self.state.write(held.id, transition)
        held.settled.set()
        if not written.done or written.row is None:
            if stored:
                self.store.let_go(held, stored, written.row)
            raise LetGo(held.id)
        held.row = written.row
        extra = {"task_id": held.id, "attempt": held.row.attempt, "status": status.value}
        log.info("task finished", extra=extra | {"seconds": held.seconds, "error": error})
        self.measures.finished(held)
        self._conclude(held, written.row)

    def _conclude(self, held: Held, row: Row) -> None:
        """Tell, and delete the message; what fails now is done by whoever receives the message again."""
        try:
            self.tell(row)
            self.queue.delete(held.delivery)
        except (ClientError, BotoCoreError):
            log.warning("outcome not told yet", exc_info=True, extra={"task_id": held.id})
            with suppress(ClientError, BotoCoreError):
                self.queue.give_back(held.delivery, self.first_delay_seconds)

    def _ours(self, held: Held, row: Row) -> bool:
        return row.attempt == held.row.attempt and row.fence == held.row.fence and not row.status.final
