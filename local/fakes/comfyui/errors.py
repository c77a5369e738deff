"""Exceptions of nodes and of requests."""

from typing import Any


class NodeFailed(Exception):
    """A node raises an exception of a recorded type."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Interrupted(Exception):
    """The running job was interrupted."""


class WorkerDied(BaseException):
    """The thread that runs jobs dies, as when a node raises SystemExit."""


class Refused(Exception):
    """POST /prompt responds with 400 and this body."""

    def __init__(self, error: dict[str, Any], node_errors: dict[str, Any] | None = None) -> None:
        super().__init__(error["type"])
        self.body = {"error": error, "node_errors": node_errors or {}}


def error(kind: str, message: str, details: str = "", **extra_info: Any) -> dict[str, Any]:
    """Return an error in the form that all of ComfyUI's errors have."""
    return {"type": kind, "message": message, "details": details, "extra_info": extra_info}


def type_name(failure: BaseException) -> str:
    """Return the full name of an exception's type, without `builtins`."""
    if isinstance(failure, NodeFailed):
        return failure.kind
    kind = type(failure)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
