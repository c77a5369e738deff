"""Faults that refuse a task's content, and warnings for its caller."""

from typing import Final

from domain.errors import ErrorCode, Fault, add_fault

_SHOWN: Final = 100
UNLESS_IT_APPEARS: Final = "the task fails unless its worker has it by then"

MAX_HINTS: Final = 20
"""How many names of a task are compared with all known ones to find what was meant."""


def unlisted_fault(path: str, what: str, name: str, near: str | None) -> Fault:
    """Return the warning for a name that no worker of the runtime has reported."""
    text = f"the last report of this runtime's workers has no {what} {name[:_SHOWN]!r}"
    if near:
        return Fault(path, f"{text}; did you mean {near!r}? {UNLESS_IT_APPEARS.capitalize()}")
    return Fault(path, f"{text}; {UNLESS_IT_APPEARS}")


class Findings:
    """Collects faults and warnings at JSON pointers below `path`; of too many, only the number is kept."""

    def __init__(self, path: str = "") -> None:
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self._path = path

    def fault(self, path: str, message: str, code: ErrorCode = ErrorCode.INVALID_TASK) -> None:
        """Add a reason to refuse the task."""
        add_fault(self.faults, Fault(self._path + path, message, code))

    def warn(self, path: str, message: str) -> None:
        """Add a note about what was dropped or changed, or will differ from what was asked for."""
        add_fault(self.warnings, Fault(self._path + path, message))
