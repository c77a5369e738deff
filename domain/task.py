"""The task: what a caller asked for, whichever version of the API it came by."""

from dataclasses import dataclass
from typing import Any

from domain.canonical import canonical, sha256
from domain.keys import OutputKeys


@dataclass(frozen=True, slots=True)
class Task:
    """Hold one valid task: metadata, and content as its runtime type reads it."""

    id: str
    runtime: str
    tasktype: str
    prefix: str
    context: Any
    content: dict[str, Any]
    api_version: str
    uid: str | None = None

    @property
    def digest(self) -> str:
        """Return what makes two submissions the same: runtime, tasktype, prefix, context and content."""
        return sha256(
            canonical([self.runtime, str(self.tasktype), self.prefix, self.context, self.content]),
        )

    @property
    def keys(self) -> OutputKeys:
        """Return the names of the task's objects."""
        return OutputKeys(prefix=self.prefix, id=self.id)
