"""Runtimes of type `comfyui`: their settings, and the container of ComfyUI."""

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from domain.limits import DEFAULT_LIMITS
from domain.limits import Limits as DomainLimits
from domain.routing import Runtime as DomainRuntime
from infra.runtime_types.base import Runtime
from infra.runtime_types.engine import SHARED_FOLDER, Engine, SettingsFile, http_health_check
from infra.runtime_types.image import validate_image_name
from infra.section import SecretName, Section
from runtimes.comfyui.catalogue import CATALOGUE_NAME, CATALOGUES, DEFAULT_CATALOGUE, load
from runtimes.comfyui.needs import ALIASES, CHECKPOINTS, KINDS, MODEL_FOLDERS
from runtimes.comfyui.options import MOST_NODES
from runtimes.comfyui.policy import NEVER_ALLOWED, bad_model_name

_Class = Annotated[str, Field(min_length=1, max_length=100)]
_Folder = Annotated[str, Field(pattern=r"^/[\x21-\x7e]*[\x21-\x2e\x30-\x7e]$")]

GUIDANCE_IMAGE: Final = "public.ecr.aws/bingjiao/sd-on-eks/comfyui:latest"
_MODEL_DIRECTORY: Final = "/opt/ml/code/models"
_GUIDANCE_PORT: Final = 8080
_PORT: Final = 8188
_MODELS_PATHS_FILE: Final = f"{SHARED_FOLDER}/extra_model_paths.yaml"
_FILES: Final = f"{SHARED_FOLDER}/files"
_FOLDERS: Final = ("input", "output", "temp", "user")

# The folders that ComfyUI makes can be emptied by the consumer, which is another user.
_ENTRY_POINT: Final = ("/bin/sh", "-c", 'umask 000 && exec python3 main.py "$@"', "comfyui")

# Short, because ComfyUI is stopped last: the consumer has stored everything by then.
_STOP_SECONDS: Final = 10


_MEBIBYTE: Final = 1024 * 1024
_UPLOAD_MEBIBYTES_BY_DEFAULT: Final = 100

# What the form with a file has beside it, with much to spare.
_FORM_MEBIBYTES: Final = 1


class Nodes(Section):
    """Which node classes tasks may use, beside ComfyUI's own ones.

    `catalogue` is the name of a file that `tools.node_catalogue` made, in `runtimes/comfyui/catalogues`.
    """

    allow: Annotated[tuple[_Class, ...], Field(max_length=100)] = ()
    deny: Annotated[tuple[_Class, ...], Field(max_length=100)] = ()
    catalogue: Annotated[str, Field(pattern=f"^{CATALOGUE_NAME.pattern}$")] = DEFAULT_CATALOGUE

    @model_validator(mode="after")
    def _can_be_allowed(self) -> Self:
        refused = [
            f"{name} cannot be allowed: {NEVER_ALLOWED[name]}" for name in self.allow if name in NEVER_ALLOWED
        ]
        if both := sorted(set(self.allow) & set(self.deny)):
            refused.append(f"{', '.join(both)} is in allow and in deny")
        if refused:
            raise ValueError("; ".join(refused))
        if not (CATALOGUES / self.catalogue).is_file():
            raise ValueError(f"there is no runtimes/comfyui/catalogues/{self.catalogue}")
        try:
            load(self.catalogue)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise ValueError(f"{self.catalogue} is no catalogue that tools.node_catalogue made") from None
        return self


class TaskLimits(Section):
    """Limits of one workflow, beside those that every task has."""

    nodes: Annotated[int, Field(ge=1, le=2000)] = MOST_NODES


class Server(Section):
    """The ComfyUI image of a runtime, and how it is started and checked.

    The defaults fit the public image of AWS's Guidance. Any other image, such as `./container/comfyui`, is
    started with the flags of `infra.runtime_types.comfyui`, unless `entryPoint` or `command` say otherwise.
    """

    image: Annotated[str, Field(min_length=1), AfterValidator(validate_image_name)] = GUIDANCE_IMAGE
    credentials_secret: SecretName | None = None
    entry_point: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: dict[str, str] = Field(default={})
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    # For an image that is started by its own flags; others get the folder by the list of model folders.
    model_directory: _Folder = _MODEL_DIRECTORY
    health_path: Annotated[str, Field(pattern=r"^/[\x21-\x7e]*$")] = "/system_stats"

    @model_validator(mode="after")
    def _finds_its_models(self) -> Self:
        if self.is_started_here and self.model_directory != _MODEL_DIRECTORY:
            raise ValueError("modelDirectory is for an image that has its own entryPoint or command")
        return self

    @property
    def is_started_here(self) -> bool:
        """Return whether the flags of this module start ComfyUI, so that its folders are shared."""
        return self.entry_point is None and self.command is None and not self._of_the_guidance

    @property
    def listens_on(self) -> int:
        """Return the port on which ComfyUI listens."""
        return self.port or (_GUIDANCE_PORT if self._of_the_guidance else _PORT)

    @property
    def _of_the_guidance(self) -> bool:
        return self.image.startswith(GUIDANCE_IMAGE.rpartition(":")[0])


class ComfyUi(Runtime):
    """A runtime with ComfyUI that serves one checkpoint, or any that a workflow names."""

    type: Literal["comfyui"] = "comfyui"
    model_filename: Annotated[str, Field(max_length=255)] = ""
    dynamic_model: bool = False
    comfyui: Server = Server()
    nodes: Nodes = Nodes()
    # Whether the consumer writes the workflow into the PNG files.
    metadata: bool = False
    limits: TaskLimits = TaskLimits()

    @model_validator(mode="after")
    def _serves_something(self) -> Self:
        if not self.dynamic_model and not self.model_filename:
            raise ValueError("a runtime without dynamicModel needs a modelFilename")
        if self.model_filename and (reason := bad_model_name(self.model_filename)):
            raise ValueError(f"modelFilename {reason}")
        return self

    def as_domain(self, *, queue_url: str = "") -> DomainRuntime:
        """Add the checkpoint that the runtime serves, and the options that differ from the defaults."""
        options = {
            "allow": list(self.nodes.allow),
            "deny": list(self.nodes.deny),
            "catalogue": self.nodes.catalogue if self.nodes.catalogue != DEFAULT_CATALOGUE else None,
            "metadata": self.metadata,
            "nodes": self.limits.nodes if self.limits.nodes != MOST_NODES else None,
            "files_dir": _FILES if self.comfyui.is_started_here else None,
        }
        return replace(
            super().as_domain(queue_url=queue_url),
            model_filename=self.model_filename or None,
            dynamic_model=self.dynamic_model,
            options={name: value for name, value in options.items() if value},
        )

    def required_models(self) -> tuple[tuple[str, ...], ...]:
        """Return the checkpoint of a static runtime."""
        if self.dynamic_model:
            return ()
        return (tuple(f"{folder}/{self.model_filename}" for folder in KINDS[CHECKPOINTS]),)

    def sample_task(self) -> tuple[str, dict[str, Any]] | None:
        """Return a small image from the checkpoint of a static runtime; a dynamic one has none of its own."""
        return None if self.dynamic_model else ("pipeline", _sample(self.model_filename))

    def engine(self, limits: DomainLimits = DEFAULT_LIMITS) -> Engine:
        """Return the container of the runtime's ComfyUI."""
        server = self.comfyui
        ours = server.is_started_here
        return Engine(
            container="comfyui",
            image=server.image,
            credentials_secret=server.credentials_secret,
            entry_point=_ENTRY_POINT if ours else server.entry_point or (),
            command=_flags(server.listens_on, limits, custom=bool(self.nodes.allow))
            if ours
            else server.command or (),
            environment=server.environment,
            health_check=http_health_check(server.listens_on, server.health_path),
            stop_seconds=_STOP_SECONDS,
            model_directory=server.model_directory,
            model_folders=_model_folders(self.sync_folders or ()),
            read_only_models=ours,
            settings=SettingsFile(
                source="container/consumer/engines/comfyui/image/extra_model_paths.yaml",
                path=_MODELS_PATHS_FILE,
                volume="comfyui-files",
            )
            if ours
            else None,
            shared_folders=tuple(f"{_FILES}/{name}" for name in _FOLDERS) if ours else (),
            worker={
                "engine_url": f"http://127.0.0.1:{server.listens_on}",
                "model_filename": self.model_filename,
                "dynamic_model": self.dynamic_model,
            },
        )


def _flags(port: int, limits: DomainLimits, *, custom: bool) -> tuple[str, ...]:
    """Return the flags of a ComfyUI that only its consumer uses."""
    # ComfyUI puts temporary files into a folder `temp` of the directory that it is given for them.
    places = {name: _FILES if name == "temp" else f"{_FILES}/{name}" for name in _FOLDERS}
    folders = [part for name, place in places.items() for part in (f"--{name}-directory", place)]
    return (
        *("--listen", "127.0.0.1"),
        *("--port", str(port)),
        "--disable-auto-launch",
        # Nodes that call paid services would send what a task contains to others.
        "--disable-api-nodes",
        *(() if custom else ("--disable-all-custom-nodes",)),
        # The workflow as it is run holds names of this service's own; the consumer writes the caller's.
        "--disable-metadata",
        *("--preview-method", "none"),
        *("--max-upload-size", str(_upload_mebibytes(limits))),
        *folders,
        *("--database-url", f"sqlite:///{_FILES}/user/comfyui.db"),
        *("--extra-model-paths-config", _MODELS_PATHS_FILE),
    )


def _upload_mebibytes(limits: DomainLimits) -> int:
    """Return how large a request's body may be; ComfyUI's own limit is smaller than a task's may be."""
    return max(_UPLOAD_MEBIBYTES_BY_DEFAULT, limits.media_bytes // _MEBIBYTE + 1 + _FORM_MEBIBYTES)


def extra_model_paths(model_directory: str) -> dict[str, dict[str, str]]:
    """Return ComfyUI's list of model folders: the bucket's, by its own names and the other engine's."""
    own = {folder: "\n".join((folder, *ALIASES.get(folder, ()))) for folder in MODEL_FOLDERS}
    alias = {name for names in ALIASES.values() for name in names}
    return {"sd_on_ecs": {"base_path": model_directory} | {k: v for k, v in own.items() if k not in alias}}


def _model_folders(further: tuple[str, ...]) -> tuple[str, ...]:
    aliases = (name for names in ALIASES.values() for name in names)
    return tuple(sorted({*MODEL_FOLDERS, *aliases, *(folder.strip("/") for folder in further)}))


def _sample(checkpoint: str) -> dict[str, Any]:
    """Return a workflow that draws one small image."""
    sampler = {"seed": 1, "steps": 10, "cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": 1}
    links = {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    text = "a cat in a garden"
    name = PurePosixPath(checkpoint).stem
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": checkpoint}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["1", 1]}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
        "5": {"class_type": "KSampler", "inputs": sampler | links},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": name}},
    }
