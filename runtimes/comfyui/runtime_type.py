"""The runtime type of ComfyUI."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from domain.body import pointer
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
from runtimes.comfyui.content import check
from runtimes.comfyui.needs import (
    ALIASES,
    CHECKPOINTS,
    DIFFUSION_MODELS,
    FOLDER_KINDS,
    KINDS,
    MODEL_ENDINGS,
    MODEL_FOLDERS,
    NODE_CLASSES,
    START_FOLDERS,
    WARNED_FOLDERS,
    affinity,
    look_up,
    required_models,
    unlisted_classes,
)
from runtimes.comfyui.options import Options
from runtimes.comfyui.schema import content_schema
from runtimes.comfyui.seeds import with_seeds
from runtimes.comfyui.work import work
from runtimes.findings import Findings
from runtimes.links import is_link

TASK_TYPE: Final = "pipeline"


class ComfyUi:
    """The rules for tasks of ComfyUI: workflows in API format."""

    name = "comfyui"
    task_types: tuple[str, ...] = (TASK_TYPE,)
    submit_folders: tuple[str, ...] = (CHECKPOINTS, DIFFUSION_MODELS)
    folder_aliases: Mapping[str, tuple[str, ...]] = ALIASES
    warned_folders: tuple[str, ...] = WARNED_FOLDERS
    model_kinds: Mapping[str, tuple[str, ...]] = KINDS
    engine_lists: tuple[str, ...] = (NODE_CLASSES,)
    model_folders: tuple[str, ...] = MODEL_FOLDERS
    start_folders: tuple[str, ...] = START_FOLDERS

    def validate(
        self,
        _task_type: str | None,
        content: Json,
        runtime: Runtime | None,
        limits: Limits,
        *,
        path: str = "",
    ) -> Checked:
        """Return `{"prompt", "files"}`, with `outputs` and `workflow` if they were sent."""
        findings = Findings(path)
        checked = check(content, runtime, limits, findings)
        return Checked(checked, findings.faults, findings.warnings)

    def settled(self, content: Json, key: str) -> Json:
        """Return the content with a seed in place of each -1."""
        return content | {"prompt": with_seeds(content["prompt"], key)}

    def inputs(self, _task_type: str, content: Json) -> Iterator[InputRef]:
        """Yield the files of a task; that they are images is checked where a node takes one."""
        for name, value in content["files"].items():
            yield InputRef(f"/files/{pointer(name)}", value, is_link=is_link(value))

    def models(self, content: Json, runtime: Runtime) -> Iterator[ModelRequirement]:
        """Yield the models that the nodes name, without the checkpoint of a static runtime."""
        for model in required_models(content, Options.of(runtime).catalogue):
            is_own = model.folder == CHECKPOINTS and model.name == runtime.model_filename
            if runtime.dynamic_model or not is_own:
                yield model

    def look_up(
        self, model: ModelRequirement, files: Collection[str], listed: Collection[str] | None
    ) -> Lookup:
        """Return whether a model is in its folder or in the image."""
        return look_up(model, files, listed)

    def model_kind(self, folder: str, name: str, runtime: Runtime) -> NamedModel | None:
        """Return the folder in which ComfyUI has a file; a static runtime has only its own checkpoint."""
        kind = FOLDER_KINDS[folder]
        is_other_checkpoint = (
            kind == CHECKPOINTS and not runtime.dynamic_model and name != runtime.model_filename
        )
        is_model = PurePosixPath(name).suffix in MODEL_ENDINGS and not is_other_checkpoint
        return NamedModel(kind, name) if is_model else None

    def unlisted(self, _task_type: str, content: Json, names: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
        """Yield a warning for each class of nodes that ComfyUI did not have."""
        listed = names.get(NODE_CLASSES)
        if listed is not None:
            yield from unlisted_classes(content, listed)

    def start_files(self, runtime: Runtime, files: Callable[[str], Collection[str]]) -> list[StoredFile]:
        """Return the checkpoint of a static runtime."""
        own_name = runtime.model_filename
        if not own_name:
            return []
        for folder in (CHECKPOINTS, *ALIASES[CHECKPOINTS]):
            if own_name in files(folder):
                return [StoredFile(folder, own_name)]
        raise UnknownStartModel(f"MODEL_FILENAME {own_name!r} is not in the model bucket's {CHECKPOINTS}/")

    def affinity(self, content: Json, runtime: Runtime) -> str | None:
        """Return the checkpoints and diffusion models of the workflow."""
        return affinity(content, Options.of(runtime).catalogue)

    def cost(self, _task_type: str, content: Json) -> float:
        """Return steps × pixels × images, as far as constants tell."""
        return work(content["prompt"])

    def kind(self, task_type: str, content: Json) -> str:
        """Return the classes that take steps: the time of a step depends on them."""
        sampling = {node["class_type"] for node in content["prompt"].values() if "steps" in node["inputs"]}
        return " ".join((task_type, *sorted(sampling)))

    def schema(self, _task_type: str, limits: Limits) -> dict[str, Any]:
        """Return the schema of the three shapes of a workflow, with the deployment's limits."""
        return content_schema(limits)
