"""Error codes, and the exceptions that carry them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from domain.limits import MAX_ERROR_LENGTH, MAX_FAULTS, MAX_PATH_LENGTH, MAX_TEXT_LENGTH


class ErrorCode(StrEnum):
    """An error code as callers see it, in an API response or in a callback."""

    # Errors that the API responds with.
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

    # Permanent errors of a task: never retried.
    INPUT_BLOCKED = "input_blocked"
    INPUT_UNAVAILABLE = "input_unavailable"
    INPUT_TOO_LARGE = "input_too_large"
    INPUT_NOT_AN_IMAGE = "input_not_an_image"
    INPUT_WRONG_TYPE = "input_wrong_type"
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
    WRONG_OUTPUT = "wrong_output"
    NODE_NOT_FOUND = "node_not_found"
    WORKFLOW_REJECTED = "workflow_rejected"
    WORKFLOW_ERROR = "workflow_error"

    # Retryable errors: an outcome only after all attempts are used up.
    ENGINE_UNAVAILABLE = "engine_unavailable"
    AWS_UNAVAILABLE = "aws_unavailable"
    TASK_ABANDONED = "task_abandoned"
    TASK_EXPIRED = "task_expired"

    CANCELLED = "cancelled"


def shortened(text: str, length: int) -> str:
    """Shorten a text to `length` characters by cutting out its middle."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def outcome_error(code: ErrorCode, message: str) -> dict[str, str]:
    """Return the error of a failed task, with a message short enough for the row and the callback."""
    return {"code": code.value, "message": shortened(message, MAX_ERROR_LENGTH)}


def shorten_error(error: Mapping[str, Any]) -> dict[str, str]:
    """Return an error from any source with code and message cut to the allowed length."""
    return {name: shortened(str(error.get(name) or ""), MAX_ERROR_LENGTH) for name in ("code", "message")}


CANCELLED_BY_CALLER: Final = "Cancelled by its caller."
NOT_STARTED: Final = "No GPU was free for it within its start_within_seconds."


def cancelled_error() -> dict[str, str]:
    """Return the error of a task that its caller cancelled."""
    return outcome_error(ErrorCode.CANCELLED, CANCELLED_BY_CALLER)


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a request: a JSON pointer to it, and what is wrong."""

    path: str
    message: str
    code: ErrorCode = ErrorCode.INVALID_TASK
    """The code of the whole response when all faults have the same one."""
    count: int = 1
    """How many mistakes this fault represents: the last of a long list says how many were left out."""

    def as_dict(self) -> dict[str, str]:
        """Return the fault as shown in `details` or `warnings` of a response."""
        return {"path": self.path, "message": self.message}


def add_fault(faults: list[Fault], fault: Fault) -> None:
    """Append a fault with shortened texts; beyond MAX_FAULTS, only count it in one last fault."""
    if len(faults) < MAX_FAULTS:
        path = shortened(fault.path, MAX_PATH_LENGTH)
        faults.append(replace(fault, path=path, message=shortened(fault.message, MAX_TEXT_LENGTH)))
        return
    more = sum(beyond.count for beyond in faults[MAX_FAULTS:]) + fault.count
    codes = {fault.code, *(beyond.code for beyond in faults[MAX_FAULTS:])}
    code = codes.pop() if len(codes) == 1 else ErrorCode.INVALID_TASK
    faults[MAX_FAULTS:] = [Fault("", f"and {more} more", code, more)]


def bounded_faults(faults: Iterable[Fault]) -> list[Fault]:
    """Return the faults limited in number and length, so that they fit into a response."""
    kept: list[Fault] = []
    for fault in faults:
        add_fault(kept, fault)
    return kept


class InvalidTask(Exception):
    """A request is invalid: all its faults, an error code and an HTTP status."""

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
        self.faults = tuple(bounded_faults(faults))


def raise_if_any(faults: Sequence[Fault]) -> None:
    """Raise InvalidTask with all of `faults`, if there are any."""
    if not faults:
        return
    codes = {fault.code for fault in faults}
    code = codes.pop() if len(codes) == 1 else ErrorCode.INVALID_TASK
    raise InvalidTask(f"The task has {fault_count_text(faults)}.", code=code, faults=faults)


def fault_count_text(faults: Sequence[Fault]) -> str:
    """Return the number of faults in words, such as `3 faults`."""
    count = sum(fault.count for fault in faults)
    return "one fault" if count == 1 else f"{count} faults"


class BadMessage(Exception):
    """A queue message is not a valid task message; `raw` is its body."""

    def __init__(self, message: str, *, raw: str) -> None:
        super().__init__(message)
        self.raw = raw


class PermanentError(Exception):
    """A task failed for a reason that no retry can change.

    `response` is the response of the engine, if there is one; it is cut to a bounded size when stored.
    """

    def __init__(self, code: ErrorCode, message: str, *, response: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.response = response


class RetryableError(Exception):
    """A task met a temporary problem: it goes back to its queue until its attempts are used up."""

    def __init__(self, code: ErrorCode, message: str, *, response: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.response = response
