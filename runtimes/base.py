"""What API, workers and infra ask of a runtime type: an engine's own rules for what a task may say."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from domain.errors import Fault
from domain.limits import Limits
from domain.routing import Runtime

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """Hold a content as everything else reads it; it is only valid where there are no faults."""

    content: Json
    faults: Sequence[Fault]
    warnings: Sequence[Fault]


@dataclass(frozen=True, slots=True)
class InputRef:
    """Point at one input that a content brings: a link, or the data itself as base64."""

    path: str
    """A JSON pointer into the content."""
    value: str
    is_link: bool
    media: str = "image"


@dataclass(frozen=True, slots=True)
class ModelRequirement:
    """Name one model that a task needs; `folder` is where the model bucket has such models."""

    folder: str
    name: str
    path: str
    """A JSON pointer into the content."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Say whether a model exists: `exists` is None where only a worker can tell, `why` what to do if not."""

    exists: bool | None
    why: str = ""


class RuntimeType(Protocol):
    """What tasks of one runtime type may say; no method calls anything outside this process."""

    name: str
    task_types: tuple[str, ...]
    submit_folders: tuple[str, ...]
    """Folders of the model bucket in which a task's models are looked up when it is submitted."""

    def validate(
        self, task_type: str | None, content: Json, runtime: Runtime | None, limits: Limits, *, path: str = ""
    ) -> Checked:
        """Return the content as everything else reads it, what refuses it, and what its caller should know.

        `path` is the JSON pointer of the content in the request. Where task type or runtime is None, which
        has a fault of its own, what does not depend on it is checked.
        """

    def inputs(self, task_type: str, content: Json) -> Iterator[InputRef]:
        """Yield the inputs of a content that was validated."""

    def models(self, content: Json) -> Iterator[ModelRequirement]:
        """Yield the models without which a validated content cannot be run."""

    def look_up(self, need: ModelRequirement, files: Collection[str], listed: Collection[str]) -> Lookup:
        """Tell whether a model is one of the bucket's `files` of its folder, or of what the engine listed."""

    def affinity(self, content: Json) -> str | None:
        """Return what is expensive to load, so that tasks with the same run after each other."""

    def cost(self, task_type: str, content: Json) -> float:
        """Return how much work a content asks for; only ratios matter."""

    def kind(self, task_type: str, content: Json) -> str:
        """Return what a job's time is compared with: the time of jobs of one kind is proportional to cost."""

    def schema(self, task_type: str, limits: Limits) -> Json:
        """Return the JSON Schema of a content, for the description of the API."""
