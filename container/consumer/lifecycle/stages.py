"""Stages of a task, and what follows from whatever they raise."""

import logging
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from container.consumer.engines.sdwebui.faults import Unsure
from container.consumer.engines.sdwebui.models.store import WorkerLeaves
from container.consumer.lifecycle.finish import UNSURE_TRIES, Outcomes
from container.consumer.lifecycle.job import Held, LetGo
from container.consumer.telemetry.logs import about
from domain.errors import ErrorCode, PassingFault, TaskFailed

log = logging.getLogger(__name__)


class Stages:
    """Run stages of tasks; none of them leaves a task without an end."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes

    def run(self, held: Held, action: Callable[[], None]) -> bool:
        """Run a stage, and turn whatever it raises into the task's end; tell whether the task goes on."""
        with about(held):
            return self._settled(held, action)

    def _settled(self, held: Held, action: Callable[[], None]) -> bool:
        outcomes = self._outcomes
        try:
            try:
                held.check()
                action()
            except TaskFailed as fault:
                outcomes.failed(held, fault)
            except PassingFault as fault:
                self._passing(held, fault)
            except (ClientError, BotoCoreError) as error:
                log.warning("AWS did not serve a stage", exc_info=True, extra={"task_id": held.id})
                outcomes.passing(held, PassingFault(ErrorCode.AWS_UNAVAILABLE, _name_of(error)))
            except LetGo:
                raise
            except Exception as bug:
                # A fault of ours: another try may meet a newer consumer, and the tries are bounded.
                log.exception("a stage broke", extra={"task_id": held.id})
                text = f"The worker failed: {type(bug).__name__}."
                outcomes.passing(held, PassingFault(ErrorCode.INTERNAL_ERROR, text))
            else:
                return not held.settled.is_set()
        except LetGo:
            log.info("let go of a task that is no longer ours", extra={"task_id": held.id})
            outcomes.measures.lost(held)
        except Exception:
            # Nothing is lost: the lease runs out, and the message is delivered again.
            log.exception("a task could not be ended", extra={"task_id": held.id})
            outcomes.measures.lost(held)
        held.settled.set()
        return False

    def _passing(self, held: Held, fault: PassingFault) -> None:
        """Give a task back for a fault that passes; one that is ours spends no try."""
        outcomes = self._outcomes
        if isinstance(fault, WorkerLeaves):
            outcomes.give_back(held, spend_try=False)
        elif isinstance(fault, Unsure):
            outcomes.passing(held, fault, tries=UNSURE_TRIES)
        else:
            outcomes.passing(held, fault)

    def release(self, held: Held) -> None:
        """Give a task back that has not begun, with its try."""
        if not held.settled.is_set():
            self.run(held, lambda: self._outcomes.give_back(held, spend_try=False))


def raising(error: Exception) -> Callable[[], None]:
    """Return a stage that ends a task by `error`."""

    def action() -> None:
        raise error

    return action


def _name_of(error: ClientError | BotoCoreError) -> str:
    """Return what failed without the error's text, which may hold a bucket's or a role's name."""
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "an error")
        return f"AWS answered {code} to {error.operation_name}."
    return f"AWS did not answer: {type(error).__name__}."
