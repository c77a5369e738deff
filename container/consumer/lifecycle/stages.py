"""Stages of a task, and what follows from whatever they raise."""

import logging
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from container.consumer.engines.sdwebui.faults import AmbiguousError
from container.consumer.engines.sdwebui.models.store import WorkerLeaves
from container.consumer.lifecycle.finish import AMBIGUOUS_ATTEMPTS, Finisher
from container.consumer.lifecycle.job import Job, LeaseLost
from container.consumer.telemetry.logs import about
from domain.errors import ErrorCode, PermanentError, RetryableError

log = logging.getLogger(__name__)


class Stages:
    """Run stages of tasks; none of them leaves a task without an end."""

    def __init__(self, outcomes: Finisher) -> None:
        self._outcomes = outcomes

    def run(self, job: Job, action: Callable[[], None]) -> bool:
        """Run a stage, and turn whatever it raises into the task's end; tell whether the task goes on."""
        with about(job):
            return self._settled(job, action)

    def _settled(self, job: Job, action: Callable[[], None]) -> bool:
        outcomes = self._outcomes
        try:
            try:
                job.check()
                action()
            except PermanentError as fault:
                outcomes.failed(job, fault)
            except RetryableError as fault:
                self._passing(job, fault)
            except (ClientError, BotoCoreError) as error:
                log.warning("AWS did not serve a stage", exc_info=True, extra={"task_id": job.id})
                outcomes.passing(job, RetryableError(ErrorCode.AWS_UNAVAILABLE, _name_of(error)))
            except LeaseLost:
                raise
            except Exception as bug:
                # A fault of ours: another try may meet a newer consumer, and the attempts are bounded.
                log.exception("a stage broke", extra={"task_id": job.id})
                text = f"The worker failed: {type(bug).__name__}."
                outcomes.passing(job, RetryableError(ErrorCode.INTERNAL_ERROR, text))
            else:
                return not job.done.is_set()
        except LeaseLost:
            log.info("let go of a task that is no longer ours", extra={"task_id": job.id})
            outcomes.measures.lost(job)
        except Exception:
            # Nothing is lost: the lease runs out, and the message is delivered again.
            log.exception("a task could not be ended", extra={"task_id": job.id})
            outcomes.measures.lost(job)
        job.done.set()
        return False

    def _passing(self, job: Job, fault: RetryableError) -> None:
        """Give a task back for a fault that passes; one that is ours spends no try."""
        outcomes = self._outcomes
        if isinstance(fault, WorkerLeaves):
            outcomes.release(job, count_attempt=False)
        elif isinstance(fault, AmbiguousError):
            outcomes.passing(job, fault, attempts=AMBIGUOUS_ATTEMPTS)
        else:
            outcomes.passing(job, fault)

    def release(self, job: Job) -> None:
        """Give a task back that has not begun, with its attempt."""
        if not job.done.is_set():
            self.run(job, lambda: self._outcomes.release(job, count_attempt=False))


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
