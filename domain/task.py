"""The task: what a caller asked for, independent of the API version."""

from dataclasses import dataclass
from typing import Any

from domain.canonical import canonical_json, sha256
from domain.keys import OutputKeys


@dataclass(frozen=True, slots=True)
class Task:
    """A valid task: metadata, and the content in the form that its runtime type reads."""

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
        """Return a hash of runtime, task type, prefix, context and content to recognize repeated submits."""
        return sha256(
            canonical_json([self.runtime, str(self.tasktype), self.prefix, self.context, self.content]),
        )

    @property
    def keys(self) -> OutputKeys:
        """Return the S3 keys of the task's objects."""
        return OutputKeys(prefix=self.prefix, id=self.id)
