"""Faults that refuse a task's content, and warnings for its caller."""

from domain.errors import ErrorCode, Fault, add_fault


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
