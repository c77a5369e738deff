"""The content of the toy's tasks: a text to `repeat`."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from domain.errors import Fault
from domain.limits import Limits
from domain.routing import Runtime
from runtimes.base import Checked, InputRef, Json, Lookup, ModelRequirement, NamedModel, StoredFile


class ToyType:
    name = "toy"
    task_types: tuple[str, ...] = ("repeat",)
    submit_folders: tuple[str, ...] = ()
    folder_aliases: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    warned_folders: tuple[str, ...] = ()
    model_kinds: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    engine_lists: tuple[str, ...] = ()
    model_folders: tuple[str, ...] = ()
    start_folders: tuple[str, ...] = ()

    def validate(
        self,
        _task_type: str | None,
        content: Json,
        runtime: Runtime | None,
        _limits: Limits,
        *,
        path: str = "",
    ) -> Checked:
        faults = []
        if not isinstance(content.get("text"), str):
            faults.append(Fault(f"{path}/text", "a string is expected"))
        if not isinstance(content.get("times"), int):
            faults.append(Fault(f"{path}/times", "a whole number is expected"))
        elif runtime and content["times"] > runtime.options["most"]:
            faults.append(Fault(f"{path}/times", f"at most {runtime.options['most']} are allowed"))
        return Checked(content, faults, ())

    def settled(self, content: Json, _key: str) -> Json:
        return content

    def inputs(self, _task_type: str, _content: Json) -> Iterator[InputRef]:
        yield from ()

    def models(self, _content: Json, _runtime: Runtime) -> Iterator[ModelRequirement]:
        yield from ()

    def look_up(
        self, _need: ModelRequirement, _files: Collection[str], _listed: Collection[str] | None
    ) -> Lookup:
        return Lookup(exists=None)

    def model_kind(self, _folder: str, _name: str, _runtime: Runtime) -> NamedModel | None:
        return None

    def unlisted(
        self, _task_type: str, _content: Json, _names: Mapping[str, Sequence[str]]
    ) -> Iterator[Fault]:
        yield from ()

    def start_files(self, _runtime: Runtime, _files: Callable[[str], Collection[str]]) -> list[StoredFile]:
        return []

    def affinity(self, content: Json, runtime: Runtime) -> str | None:
        return None

    def kind(self, task_type: str, _content: Json) -> str:
        return task_type

    def cost(self, _task_type: str, content: Json) -> float:
        return float(content["times"])

    def schema(self, _task_type: str, _limits: Limits) -> Json:
        return {"type": "object", "properties": {"text": {"type": "string"}, "times": {"type": "integer"}}}
