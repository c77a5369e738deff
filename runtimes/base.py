"""The interface of a runtime type: what its tasks may contain, for the API, workers and infrastructure."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from domain.errors import Fault
from domain.limits import Limits
from domain.routing import Runtime

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """A task's content in the form that all other code reads; it is only valid if there are no faults."""

    content: Json
    faults: Sequence[Fault]
    warnings: Sequence[Fault]


@dataclass(frozen=True, slots=True)
class InputRef:
    """An input in a task's content: a link, or inline data as base64."""

    path: str
    """A JSON pointer into the content."""
    value: str
    is_link: bool
    media: str = "image"


@dataclass(frozen=True, slots=True)
class ModelRequirement:
    """A model that a task needs; `folder` is its folder in the model bucket."""

    folder: str
    name: str
    path: str
    """A JSON pointer into the content."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Whether a model exists (None if only a worker can decide); `reason` says why not, and what to do."""

    exists: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EngineNames:
    """What an engine lists; a list that the engine does not have is left out."""

    models: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Every name by which tasks can ask for a model, by its folder in the model bucket."""
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Other names, such as those of samplers; the keys are those of `RuntimeType.engine_lists` and more."""


@dataclass(frozen=True, slots=True)
class NamedModel:
    """The kind of a model file, and the name by which tasks can ask for it."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the model bucket: a folder, and a name that may contain further folders."""

    folder: str
    name: str


class UnknownStartModel(Exception):
    """A model that the settings name is not in the bucket, or its name matches several files."""


class RuntimeType(Protocol):
    """The rules for tasks of one runtime type; no method calls anything outside this process."""

    name: str
    task_types: tuple[str, ...]
    submit_folders: tuple[str, ...]
    """Folders of the model bucket in which a task's models are looked up at submit."""
    folder_aliases: Mapping[str, tuple[str, ...]]
    """Further folders of the model bucket that hold the models of a folder."""
    warned_folders: tuple[str, ...]
    """Folders whose missing models are only warned of at submit."""
    model_kinds: Mapping[str, tuple[str, ...]]
    """The kinds of models that a runtime's catalogue shows, each with its folders of the model bucket."""
    engine_lists: tuple[str, ...]
    """The lists of the engine that a runtime's catalogue shows."""
    model_folders: tuple[str, ...]
    """Folders of the model bucket that tasks may use; they exist on the volume before the engine starts."""
    start_folders: tuple[str, ...]
    """Folders that are downloaded completely before the engine starts, unless the settings list others."""

    def validate(
        self, task_type: str | None, content: Json, runtime: Runtime | None, limits: Limits, *, path: str = ""
    ) -> Checked:
        """Return the content in the form that all other code reads, with faults and warnings.

        `path` is the JSON pointer of the content in the request. If the task type or the runtime is None,
        which is reported as a fault elsewhere, everything that does not depend on it is still checked.
        """

    def settled(self, content: Json, key: str) -> Json:
        """Return validated content with a value for all that it leaves to chance, the same one for each key.

        The key is the id of the task's submission: a task that is delivered again makes the same images.
        """

    def inputs(self, task_type: str, content: Json) -> Iterator[InputRef]:
        """Yield the inputs of validated content."""

    def models(self, content: Json, runtime: Runtime) -> Iterator[ModelRequirement]:
        """Yield the models that validated content needs, except the runtime's own ones."""

    def look_up(
        self, model: ModelRequirement, files: Collection[str], listed: Collection[str] | None
    ) -> Lookup:
        """Return whether a model is among the `files` of its folder in the bucket or is `listed`.

        `listed` is None if no worker has reported yet what its engine lists.
        """

    def model_kind(self, folder: str, name: str, runtime: Runtime) -> NamedModel | None:
        """Return what a file in a folder of the model bucket is to tasks of a runtime, None if nothing."""

    def unlisted(self, task_type: str, content: Json, names: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
        """Yield a warning for each name in validated content that the lists of an engine lack."""

    def start_files(self, runtime: Runtime, files: Callable[[str], Collection[str]]) -> list[StoredFile]:
        """Return further files that are downloaded before the engine starts; raise UnknownStartModel.

        `files` returns the names in a folder of the model bucket.
        """

    def affinity(self, content: Json, runtime: Runtime) -> str | None:
        """Return what is expensive to load, so that tasks of a runtime that share it run in a row.

        Never raise an error: messages are ordered before their content is checked or fetched.
        """

    def cost(self, task_type: str, content: Json) -> float:
        """Return how much work a task's content needs; only ratios between tasks matter."""

    def kind(self, task_type: str, content: Json) -> str:
        """Return the kind of a job; the time of jobs of one kind is proportional to their cost."""

    def schema(self, task_type: str, limits: Limits) -> Json:
        """Return the JSON Schema of a task's content, for the OpenAPI document."""


def all_folders(runtime_type: RuntimeType) -> tuple[str, ...]:
    """Return the folders of the model bucket that a runtime type reads, each once."""
    return tuple(dict.fromkeys(name for names in runtime_type.model_kinds.values() for name in names))
