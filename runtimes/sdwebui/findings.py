"""What was found in a content: faults that refuse it, and warnings that go with its answer."""

from domain.errors import ErrorCode, Fault, add_fault


class Findings:
    """Collect faults and warnings, each at a JSON pointer below `path`; of very many, only the number."""

    def __init__(self, path: str = "") -> None:
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self._path = path

    def fault(self, path: str, message: str, code: ErrorCode = ErrorCode.INVALID_TASK) -> None:
        """Note what refuses the task."""
        add_fault(self.faults, Fault(self._path + path, message, code))

    def warn(self, path: str, message: str) -> None:
        """Note what was dropped or changed, or will not be as it was asked."""
        add_fault(self.warnings, Fault(self._path + path, message))
