"""The interface between the worker and any kind of engine."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from domain.errors import ErrorCode, Fault, RetryableError
from domain.metrics import Metric
from domain.task import Task
from runtimes.base import EngineNames

Json = dict[str, Any]

PICTURE: Final = "picture"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of an outcome."""

    data: Callable[[], bytes]
    """Returns the file's bytes, created on each call, so that only files being stored are in memory."""
    number: int | None
    """The number of a requested image, from 1; None for additional files."""
    receipt: Json
    """What the engine reports about the file (seed, infotext); stored with its name, size and hash."""
    kind: str = PICTURE
    """A lower-case word in the name of a file without a number: `grid`, `map`, `mask`."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a finished job."""

    artifacts: Sequence[Artifact]
    document: Json
    """The engine's response without the files, stored in `.out`; it repeats no input."""
    model: str | None = None
    """The model that was used."""
    warnings: Sequence[Fault] = ()
    """How the result differs from what the task asked for."""


def nothing_to_clean_up() -> None:
    """Do nothing: an engine that stores no files keeps nothing of a request."""


@dataclass(frozen=True, slots=True)
class Request:
    """A job that can be sent to the engine."""

    payload: Any
    """Content for the engine only."""
    warnings: Sequence[Fault] = ()
    """How the request differs from what the task asked for."""
    clean_up: Callable[[], None] = nothing_to_clean_up
    """Removes what the request and its job have left on the engine; called when the task has ended here."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model that the engine has loaded for a job."""

    model: str | None
    """The model that the response must name; None if the task needs no particular one."""
    switched: bool
    """Whether the previous job needed another model."""


@dataclass(frozen=True, slots=True)
class RunHooks:
    """What an engine calls while it runs a job, and the estimated duration of the job."""

    sent: Callable[[], None]
    """Called when the engine has the whole request, so that work that could delay the request can begin."""
    progressed: Callable[[float], None]
    """Called with the job's progress (0 to 1) every few seconds, if it is known."""
    expected_seconds: float
    """How long the job will take; inf if unknown."""


class Verdict(Enum):
    """What caused the error of a job."""

    TASK = "task"
    """The task, or nothing that is wrong with the engine: finish or retry the task."""
    UNREACHABLE = "unreachable"
    """The engine has ended, or is not ready yet: wait for it."""
    BROKEN = "broken"
    """The engine fails every job: it must recover or be replaced."""


class Interrupted(Exception):
    """The job was interrupted; whatever it returned is not stored."""


class EngineTimedOut(Exception):
    """A job did not respond in time; it still runs, because a closed connection cancels nothing."""


class ReplaceEngine(Exception):
    """This engine cannot be used any more: the whole ECS task must be replaced.

    `code` is the outcome of the running task if its next attempt ends like this too.
    """

    def __init__(self, message: str, code: ErrorCode = ErrorCode.INFERENCE_TIMEOUT) -> None:
        super().__init__(message)
        self.code = code


class AmbiguousError(RetryableError):
    """An error that may or may not be the task's fault: after one more attempt it fails the task."""


class WorkerShutsDown(RetryableError):
    """The worker shuts down, so the task is released without counting an attempt."""


class Engine(Protocol):
    """An inference server that runs one job at a time.

    Methods raise PermanentError or RetryableError unless they say otherwise.
    """

    def wait_ready(self, stop: threading.Event, seconds: float) -> bool:
        """Wait until the engine responds and is idle; return whether it is."""

    def warm_up(self, stop: threading.Event) -> None:
        """Do once what only a first job would do, such as loading kernels; return early if `stop` is set.

        Called after `wait_ready`, before the first task is received. Errors are logged and not raised.
        """

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no job runs; return whether none does."""

    def prepare(self, task: Task, stopped: Callable[[], bool]) -> Request:
        """Fetch a checked task's inputs and models and build its request, while another job may run.

        `stopped` returns True when the request is no longer needed; the method then ends early, with any
        error.
        """

    def load(self, request: Request) -> Loaded:
        """Load the models of a request; called between jobs."""

    def run(self, request: Request, loaded: Loaded, hooks: RunHooks) -> Callable[[], Result]:
        """Run a job and return a function that reads its response during the next job.

        The GPU is idle from the end of a job until the next call has sent its request, so return at once.

        Also raise EngineTimedOut. The returned function raises PermanentError if the response is not what was
        asked for.
        """

    def was_interrupted(self) -> bool:
        """Return whether anyone interrupted the job that has just ended."""

    def interrupt(self) -> None:
        """Stop the running job at its next step; may be called repeatedly."""

    def failed(self, error: Exception) -> None:
        """Note the error of the job that has just ended, for example to refuse a broken model."""

    def diagnose(self, error: Exception) -> Verdict:
        """Return what caused a job's error; called between jobs, because it may run one."""

    def recover(self) -> bool:
        """Try to make a broken engine work again; return whether it does."""

    def prepare_shutdown(self) -> None:
        """Stop everything that would delay a shutdown, such as the download of a model."""

    def names(self) -> EngineNames:
        """Return the names of models and of anything else that tasks may use with this engine."""

    def gauges(self) -> Mapping[Metric, float]:
        """Return the engine's metrics of its GPU."""
