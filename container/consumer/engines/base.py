"""What the worker knows of its inference server, whichever it is."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from domain.errors import Fault, RetryableError
from domain.metrics import Metric
from domain.task import Task

Json = dict[str, Any]

PICTURE: Final = "picture"


@dataclass(frozen=True, slots=True)
class Artifact:
    """Hold one file of an outcome."""

    data: Callable[[], bytes]
    """Returns the file's bytes, made on each call: only those that are being stored are in memory."""
    number: int | None
    """Counts the pictures that were asked for, from 1; None for what comes beside them."""
    receipt: Json
    """What the engine knows of the file (seed, infotext); stored with its name, size and hash."""
    kind: str = PICTURE
    """A lower-case word, part of the name of a file without a number: `grid`, `map`, `mask`."""


@dataclass(frozen=True, slots=True)
class Result:
    """Hold what a finished job returned."""

    artifacts: Sequence[Artifact]
    document: Json
    """What the engine answered beside the files; stored in `.out`. It repeats no input."""
    model: str | None = None
    """The model that was used."""
    warnings: Sequence[Fault] = ()
    """What is not as the task asked for."""


@dataclass(frozen=True, slots=True)
class Request:
    """Hold a job that is ready to be sent."""

    payload: Any
    """The engine's own; nobody else reads it."""
    warnings: Sequence[Fault] = ()
    """What is sent otherwise than the task says it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Say which model the engine has for a job."""

    model: str | None
    """What must have been used in the end; None where any is right."""
    switched: bool
    """Whether the job before needed another one."""


class Verdict(Enum):
    """Say whose fault the error of a job is."""

    TASK = "task"
    UNREACHABLE = "unreachable"
    """The engine is gone, or not ready yet: wait for it."""
    BROKEN = "broken"
    """The engine fails every job: heal it, or replace it."""


class Interrupted(Exception):
    """The job was stopped half-way: whatever it returned is not stored."""


class EngineTimedOut(Exception):
    """A job did not answer in time; it still runs, for a client that goes away cancels nothing."""


class ReplaceEngine(Exception):
    """This engine is of no more use: the whole ECS task must be replaced."""


class AmbiguousError(RetryableError):
    """An error that may be anybody's fault: one more attempt, then it is the task's."""


class WorkerLeaves(RetryableError):
    """The worker shuts down: the task is released and spends no attempt."""


class Engine(Protocol):
    """One inference server that runs one job at a time.

    Raises PermanentError or RetryableError unless a method says otherwise.
    """

    def wait_ready(self, stop: threading.Event, seconds: float) -> bool:
        """Wait until it answers and runs nothing; return whether it does."""

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no job runs; return whether none does."""

    def prepare(self, task: Task, stopped: Callable[[], bool]) -> Request:
        """Fetch a checked task's inputs and models, and build its request, while another job may run.

        `stopped` tells that nobody waits for it any more; then it ends early, with any error.
        """

    def load(self, request: Request) -> Loaded:
        """Load the models of a request; called between jobs."""

    def run(self, request: Request, loaded: Loaded) -> Callable[[], Result]:
        """Run a job and return what reads its answer, beside the next job. Raise EngineTimedOut too.

        What it returns raises PermanentError when the answer is not what was asked for.
        """

    def progress(self) -> float | None:
        """Return the running job's progress (0 to 1), None when the engine does not tell."""

    def was_interrupted(self) -> bool:
        """Return whether anyone interrupted the job that has just ended."""

    def interrupt(self) -> None:
        """Stop the running job at its next step; may be repeated."""

    def failed(self, error: Exception) -> None:
        """Take note of the error of the job that has just ended."""

    def diagnose(self, error: Exception) -> Verdict:
        """Return whose fault a job's error is; called between jobs, for it may run one."""

    def heal(self) -> bool:
        """Try to make a broken engine work again; return whether that helped."""

    def leave(self) -> None:
        """End what would hold up a shutdown, such as the download of a model."""

    def model_names(self) -> Sequence[str]:
        """Return every name of a model that a task may ask this engine for."""

    def gauges(self) -> Mapping[Metric, float]:
        """Return what the engine tells of its GPU."""
