"""What was found in a content: faults that refuse it, and warnings that go with its answer."""

from domain.errors import ErrorCode, Fault


class Findings:
    """Collect faults and warnings, each at a JSON pointer below `path`."""

    def __init__(self, path: str = "") -> None:
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self._path = path

    def fault(self, path: str, message: str, code: ErrorCode = ErrorCode.INVALID_TASK) -> None:
        """Note what refuses the task."""
        self.faults.append(Fault(self._path + path, message, code))

    def warn(self, path: str, message: str) -> None:
        """Note what was dropped or changed, or will not be as it was asked."""
        self.warnings.append(Fault(self._path + path, message))
