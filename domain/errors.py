"""What can go wrong, by code, and the exceptions that carry it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from domain.limits import MAX_ERROR_LENGTH, MAX_FAULTS, MAX_PATH_LENGTH, MAX_TEXT_LENGTH


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

    # Outcomes of a task that are its own fault: never retried.
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


def shortened(text: str, length: int) -> str:
    """Return a text of at most `length` characters: its beginning and its end."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def outcome_error(code: ErrorCode, message: str) -> dict[str, str]:
    """Return the error with which a task ends, its message no longer than a row and a callback can hold."""
    return {"code": code.value, "message": shortened(message, MAX_ERROR_LENGTH)}


def cut_error(error: Mapping[str, Any]) -> dict[str, str]:
    """Return an error of anywhere as `outcome_error` makes it."""
    return {name: shortened(str(error.get(name) or ""), MAX_ERROR_LENGTH) for name in ("code", "message")}


CANCELLED_BY_CALLER: Final = "Cancelled by its caller."


def cancelled_error() -> dict[str, str]:
    """Return the error of a task that its caller cancelled."""
    return outcome_error(ErrorCode.CANCELLED, CANCELLED_BY_CALLER)


@dataclass(frozen=True, slots=True)
class Fault:
    """Point at one mistake: a JSON pointer into the request, and what is wrong there."""

    path: str
    message: str
    code: ErrorCode = ErrorCode.INVALID_TASK
    """What the whole refusal is called when every fault says so."""
    count: int = 1
    """How many mistakes it stands for: the last one of very many says how many more there are."""

    def as_dict(self) -> dict[str, str]:
        """Return the fault as an answer's `details` or `warnings` show it."""
        return {"path": self.path, "message": self.message}


def add_fault(faults: list[Fault], fault: Fault) -> None:
    """Append a fault, its texts shortened; beyond MAX_FAULTS only count it, in one last fault."""
    if len(faults) < MAX_FAULTS:
        path = shortened(fault.path, MAX_PATH_LENGTH)
        faults.append(replace(fault, path=path, message=shortened(fault.message, MAX_TEXT_LENGTH)))
        return
    more = sum(beyond.count for beyond in faults[MAX_FAULTS:]) + fault.count
    codes = {fault.code, *(beyond.code for beyond in faults[MAX_FAULTS:])}
    code = codes.pop() if len(codes) == 1 else ErrorCode.INVALID_TASK
    faults[MAX_FAULTS:] = [Fault("", f"and {more} more", code, more)]


def bounded(faults: Iterable[Fault]) -> list[Fault]:
    """Return the faults as an answer can hold them: not too many, not too long."""
    kept: list[Fault] = []
    for fault in faults:
        add_fault(kept, fault)
    return kept


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
        message = shortened(message, MAX_ERROR_LENGTH)
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.faults = tuple(bounded(faults))


def refuse(faults: Sequence[Fault]) -> None:
    """Raise InvalidTask with all of `faults`, if there are any."""
    if not faults:
        return
    codes = {fault.code for fault in faults}
    code = codes.pop() if len(codes) == 1 else ErrorCode.INVALID_TASK
    raise InvalidTask(f"The task has {number_of(faults)}.", code=code, faults=faults)


def number_of(faults: Sequence[Fault]) -> str:
    """Return how many faults there are, as a sentence says it."""
    count = sum(fault.count for fault in faults)
    return "one fault" if count == 1 else f"{count} faults"


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
