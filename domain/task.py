"""The task: what a caller asked for, independent of the API version."""

from dataclasses import dataclass
from typing import Any

from domain.canonical import canonical_json, sha256
from domain.keys import OutputKeys
from domain.output import OutputOptions
from domain.webhook import Webhook


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
    start_within_seconds: int | None = None
    """The task fails instead of starting if no GPU has taken it this long after its submit."""
    group: str | None = None
    """The group that the caller named, whose tasks share the GPUs fairly with those of other groups."""
    output: OutputOptions | None = None
    """How the images are stored; None stores them as the engine returned them."""
    webhook: Webhook | None = None
    """Never part of the task's message: subscribers of the topics must not see the URL."""

    @property
    def digest(self) -> str:
        """Return a hash of everything that the caller asked for, to recognize repeated submits."""
        asked: list[Any] = [self.runtime, str(self.tasktype), self.prefix, self.context, self.content]
        if self.start_within_seconds is not None:
            asked.append({"start_within_seconds": self.start_within_seconds})
        if self.group is not None:
            asked.append({"group": self.group})
        if self.output is not None:
            asked.append({"output": self.output.as_dict()})
        if self.webhook is not None:
            asked.append({"webhook": self.webhook.as_dict()})
        return sha256(canonical_json(asked))

    @property
    def keys(self) -> OutputKeys:
        """Return the S3 keys of the task's objects."""
        return OutputKeys(prefix=self.prefix, id=self.id)
