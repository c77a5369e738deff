"""What can go wrong, by code, and the exceptions that carry it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ErrorCode(StrEnum):
    """Name an error as callers see it, in an answer of the API or in a callback."""

    # Refusals of the API.
    INVALID_JSON = "invalid_json"
    INVALID_TASK = "invalid_task"
    UNKNOWN_RUNTIME = "unknown_runtime"
    UNKNOWN_MODEL = "unknown_model"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    INTERNAL_ERROR = "internal_error"

    # Finisher of a task that are its own fault: never retried.
    INPUT_BLOCKED = "input_blocked"
    INPUT_UNAVAILABLE = "input_unavailable"
    INPUT_TOO_LARGE = "input_too_large"
    INPUT_NOT_AN_IMAGE = "input_not_an_image"
    INVALID_CONTENT = "invalid_content"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_UNUSABLE = "model_unusable"
    NO_SPACE_FOR_MODEL = "no_space_for_model"
    WRONG_MODEL = "wrong_model"
    ENGINE_REJECTED = "engine_rejected"
    ENGINE_ERROR = "engine_error"
    OUT_OF_MEMORY = "out_of_memory"
    INFERENCE_TIMEOUT = "inference_timeout"
    NO_IMAGES = "no_images"

    # Passing faults: an outcome only when the attempts are spent.
    ENGINE_UNAVAILABLE = "engine_unavailable"
    AWS_UNAVAILABLE = "aws_unavailable"
    TASK_ABANDONED = "task_abandoned"
    TASK_EXPIRED = "task_expired"

    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Fault:
    """Point at one mistake: a JSON pointer into the request, and what is wrong there."""

    path: str
    message: str
    code: ErrorCode = ErrorCode.INVALID_TASK
    """What the whole refusal is called when every fault says so."""

    def as_dict(self) -> dict[str, str]:
        """Return the fault as an answer's `details` or `warnings` show it."""
        return {"path": self.path, "message": self.message}


class InvalidTask(Exception):
    """Refuse a request: every fault at once, and the HTTP status that says so."""

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode = ErrorCode.INVALID_TASK,
        status: int = 400,
        faults: Sequence[Fault] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.faults = tuple(faults)


def refuse(faults: Sequence[Fault]) -> None:
    """Raise InvalidTask with all of `faults`, if there are any."""
    if not faults:
        return
    codes = {fault.code for fault in faults}
    code = codes.pop() if len(codes) == 1 else ErrorCode.INVALID_TASK
    count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise InvalidTask(f"The task has {count}.", code=code, faults=faults)


class BadMessage(Exception):
    """Say that a queue message is not one of ours, with its raw body attached."""

    def __init__(self, message: str, *, raw: str) -> None:
        super().__init__(message)
        self.raw = raw


class PermanentError(Exception):
    """End a task by its own fault: never retried.

    `response` is Web UI's answer where there is one; it is cut to a bounded size when stored.
    """

    def __init__(self, code: ErrorCode, message: str, *, response: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.response = response


class RetryableError(Exception):
    """Say that a task met something that passes: it goes back to its queue until its attempts are spent."""

    def __init__(self, code: ErrorCode, message: str, *, response: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.response = response
