"""The runtime type of SD Web UI."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from domain.errors import Fault
from domain.limits import Limits
from domain.routing import Runtime
from runtimes.base import (
    Checked,
    InputRef,
    Json,
    Lookup,
    ModelRequirement,
    NamedModel,
    StoredFile,
    UnknownStartModel,
)
from runtimes.sdwebui.checkpoints import may_switch_to
from runtimes.sdwebui.content import ContentCheck
from runtimes.sdwebui.engine_lists import SHOWN_LISTS, unlisted_names
from runtimes.sdwebui.inputs import input_references
from runtimes.sdwebui.listed_names import is_listed
from runtimes.sdwebui.model_names import (
    CHECKPOINT_FOLDER,
    KNOWN_FOLDERS,
    START_FOLDERS,
    UPSCALER_FOLDER,
    AmbiguousName,
    Kind,
    aliases,
    find_match,
    is_hash,
    nearest_name,
    possible_readings,
    webui_name,
)
from runtimes.sdwebui.named_models import model_mentions
from runtimes.sdwebui.overrides import CHECKPOINT_SETTING
from runtimes.sdwebui.schema import content_schema
from runtimes.sdwebui.task_type import TaskType
from runtimes.sdwebui.work import sampling_work

_MAX_SHOWN: Final = 100
"""Maximum length of a caller's name that is repeated in an error."""


_KIND_NAMES: Final = {
    Kind.CHECKPOINT: "checkpoint",
    Kind.LORA: "lora",
    Kind.HYPERNETWORK: "hypernetwork",
    Kind.VAE: "vae",
    Kind.MODULE: "text_encoder",
    Kind.CONTROLNET: "controlnet",
    Kind.UPSCALER: "upscaler",
    Kind.EMBEDDING: "embedding",
    Kind.FACE_RESTORER: "face_restorer",
    Kind.DETECTOR: "detector",
}
"""The kinds as the catalogue of a runtime shows them; a file in `VAE` is a VAE before it is a module."""


class SdWebUi:
    """The rules for tasks of SD Web UI, both AUTOMATIC1111's and Forge's."""

    name = "sdwebui"
    task_types: tuple[str, ...] = tuple(task_type.value for task_type in TaskType)
    submit_folders: tuple[str, ...] = (CHECKPOINT_FOLDER,)
    folder_aliases: Mapping[str, tuple[str, ...]] = MappingProxyType(
        {UPSCALER_FOLDER: Kind.UPSCALER.folders[1:]}
    )
    warned_folders: tuple[str, ...] = (UPSCALER_FOLDER,)
    model_kinds: Mapping[str, tuple[str, ...]] = MappingProxyType(
        {name: kind.folders for kind, name in _KIND_NAMES.items()}
    )
    engine_lists: tuple[str, ...] = SHOWN_LISTS
    model_folders: tuple[str, ...] = KNOWN_FOLDERS
    start_folders: tuple[str, ...] = START_FOLDERS

    def validate(
        self, task_type: str | None, content: Json, runtime: Runtime | None, limits: Limits, *, path: str = ""
    ) -> Checked:
        """Return the content with typed values, without what this service controls."""
        known = TaskType(task_type) if task_type in self.task_types else None
        check = ContentCheck(known, runtime, path=path, limits=limits)
        return Checked(check.normalize(content), check.faults, check.warnings)

    def settled(self, content: Json, _key: str) -> Json:
        """Return the content as it is: SD Web UI draws seeds itself, and reports them."""
        return content

    def inputs(self, _task_type: str, content: Json) -> Iterator[InputRef]:
        """Yield every text in an image field."""
        yield from input_references(content)

    def models(self, content: Json, runtime: Runtime) -> Iterator[ModelRequirement]:
        """Yield the models that a task's content names, checkpoints first."""
        for mention in model_mentions(content):
            is_own = mention.kind is Kind.CHECKPOINT and may_switch_to(runtime, mention.name)
            if mention.required and not mention.by_index and not is_own:
                yield ModelRequirement(mention.kind.folders[0], mention.name, mention.path)

    def look_up(
        self, model: ModelRequirement, files: Collection[str], listed: Collection[str] | None
    ) -> Lookup:
        """Return whether a checkpoint or an upscaler exists, by the same rules as the worker's."""
        kind = Kind.UPSCALER if model.folder == UPSCALER_FOLDER else Kind.CHECKPOINT
        files, listed = kind.among(model.folder, files), listed or ()
        if model.name in listed or (kind is Kind.UPSCALER and is_listed(model.name, listed)):
            return Lookup(exists=True)
        for name, digits in possible_readings(kind, model.name):
            try:
                if find_match(kind, name, files) is not None:
                    return Lookup(exists=True)
            except AmbiguousName as error:
                matches = ", ".join(error.names[:5])
                reason = f"several files are {kind.value} {model.name[:_MAX_SHOWN]!r}: {matches}"
                return Lookup(exists=False, reason=reason)
            if name in listed:
                # With a hash, only the worker, which has read the file, knows whether it is the right one.
                return Lookup(exists=None if digits else True)
        if is_hash(model.name) or not (files or listed):
            return Lookup(exists=None)
        nearest = nearest_name(
            model.name[:_MAX_SHOWN], [*(webui_name(kind, name) for name in sorted(files)), *sorted(listed)]
        )
        hint = f"; the nearest is {nearest!r}" if nearest else ""
        reason = f"there is no {kind.value} named {model.name[:_MAX_SHOWN]!r}{hint}; names are case-sensitive"
        return Lookup(exists=False, reason=reason)

    def model_kind(self, folder: str, name: str, runtime: Runtime) -> NamedModel | None:
        """Return the kind of a file and its most specific name; a static runtime has its own checkpoints."""
        for kind, kind_name in _KIND_NAMES.items():
            if folder in kind.folders and kind.takes(folder, name):
                is_restricted = kind is Kind.CHECKPOINT and not runtime.dynamic_model
                if is_restricted and not may_switch_to(runtime, name):
                    return None
                return NamedModel(kind_name, aliases(kind, name)[0])
        return None

    def unlisted(self, task_type: str, content: Json, names: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
        """Yield a warning for each sampler, scheduler, style and script that SD Web UI did not list."""
        if TaskType(task_type).generates:
            yield from unlisted_names(content, names)

    def start_files(self, runtime: Runtime, files: Callable[[str], Collection[str]]) -> list[StoredFile]:
        """Return the runtime's own checkpoints, each with its `.yaml` file, if there is one."""
        own_names = {"MODEL_FILENAME": runtime.model_filename, "REFINER_FILENAME": runtime.refiner_filename}
        start_names = []
        for setting, name in own_names.items():
            if name:
                names = files(CHECKPOINT_FOLDER)
                checkpoint = _own_checkpoint(setting, name, names)
                config_name = f"{PurePosixPath(checkpoint).with_suffix('')}.yaml"
                start_names += [checkpoint, *(other for other in names if other == config_name)]
        return [StoredFile(CHECKPOINT_FOLDER, name) for name in start_names]

    def affinity(self, content: Json, runtime: Runtime) -> str | None:
        """Return the checkpoint that the task names."""
        scripts = content.get("alwayson_scripts")
        name = scripts.get(CHECKPOINT_SETTING) if isinstance(scripts, dict) else None
        return name if isinstance(name, str) else None

    def cost(self, task_type: str, content: Json) -> float:
        """Return steps × pixels × images."""
        return sampling_work(TaskType(task_type), content)

    def kind(self, task_type: str, content: Json) -> str:
        """Return the task type and the script."""
        script = content.get("script_name")
        return f"{task_type} {script.lower()}" if isinstance(script, str) and script else str(task_type)

    def schema(self, task_type: str, limits: Limits) -> Json:
        """Return the schema of SD Web UI's own body, with the deployment's limits."""
        return content_schema(TaskType(task_type), limits)


def _own_checkpoint(setting: str, own_name: str, names: Collection[str]) -> str:
    """Return the file in the model bucket that a setting of the runtime names; raise UnknownStartModel."""
    checkpoints = Kind.CHECKPOINT.among(CHECKPOINT_FOLDER, names)
    try:
        name = find_match(Kind.CHECKPOINT, own_name, checkpoints)
    except AmbiguousName as error:
        raise UnknownStartModel(f"{setting} {own_name!r} matches several files: {error.names}") from None
    if name is None:
        nearest = nearest_name(own_name, checkpoints)
        hint = f"; the nearest is {nearest!r}" if nearest else ""
        raise UnknownStartModel(
            f"{setting} {own_name!r} is not in the model bucket's {CHECKPOINT_FOLDER}/{hint}"
        )
    return name
