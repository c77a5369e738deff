"""Runtimes of type `sdwebui`: their settings, and the container of SD Web UI."""

from dataclasses import replace
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtime as DomainRuntime
from infra.runtime_types.base import Runtime
from infra.runtime_types.engine import SHARED_FOLDER, Engine, SettingsFile, http_health_check
from infra.runtime_types.image import validate_image_name
from infra.section import SecretName, Section
from runtimes.sdwebui.model_names import (
    CHECKPOINT_FOLDER,
    KNOWN_FOLDERS,
    START_FOLDERS,
    STYLES_FILE,
    WILDCARDS_FOLDER,
    WILDCARDS_SETTING,
)
from runtimes.sdwebui.opened_settings import MAX_OPENED, refusal_to_open, value_kind
from runtimes.sdwebui.overrides import SETTING_KINDS

_ModelFilename = Annotated[str, Field(max_length=255, pattern=r"^([^\x00-\x1f\x7f/][^\x00-\x1f\x7f]*)?$")]
_Script = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(str.lower)]
_Folder = Annotated[str, Field(pattern=r"^/[\x21-\x7e]*[\x21-\x2e\x30-\x7e]$")]

_SETTINGS_FILE: Final = f"{SHARED_FOLDER}/settings.json"

# Short, because SD Web UI is stopped last: the consumer has stored everything by then.
_STOP_SECONDS: Final = 10


class WebUi(Section):
    """The SD Web UI image of a runtime, and how it is started and checked.

    The defaults fit the public image of AWS's Guidance. If `environment` is given, the container gets exactly
    that, otherwise the variables that this image reads (`infra.runtime_types.sdwebui`).
    """

    image: Annotated[str, Field(min_length=1), AfterValidator(validate_image_name)] = (
        "public.ecr.aws/bingjiao/sd-on-eks/sdwebui:latest"
    )
    # The secret with the credentials of the image's registry, by name or ARN.
    credentials_secret: SecretName | None = None
    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: dict[str, str] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    model_directory: _Folder = "/opt/ml/code/models"
    health_path: Annotated[str, Field(pattern=r"^/[\x21-\x7e]*$")] = "/sdapi/v1/memory"


class SdWebUi(Runtime):
    """A runtime with SD Web UI that serves one checkpoint, or any that a task names."""

    type: Literal["sdwebui"] = "sdwebui"
    model_filename: _ModelFilename = ""
    # A second checkpoint that a static runtime can switch to within a task.
    refiner_filename: _ModelFilename = ""
    dynamic_model: bool = False
    webui: WebUi = WebUi()
    # How many checkpoints SD Web UI keeps in the task's main memory; 0 keeps its own setting.
    checkpoints_in_memory: Annotated[int, Field(ge=0, le=100)] = 0
    # Names allowed in `script_name` and `alwayson_scripts`; without the key, all but a few are allowed.
    scripts: Annotated[tuple[_Script, ...], Field(max_length=20)] | None = None
    # Settings of SD Web UI that tasks may override beside those of docs/tasks.md, with their defaults.
    allowed_settings: dict[str, Any] = Field(default={}, max_length=MAX_OPENED)

    @model_validator(mode="after")
    def _serves_something(self) -> Self:
        if not self.dynamic_model and not self.model_filename:
            raise ValueError("a runtime without dynamicModel needs a modelFilename")
        for key, name in (("modelFilename", self.model_filename), ("refinerFilename", self.refiner_filename)):
            if ".." in name.split("/"):
                raise ValueError(f"{key} must not leave the model folder")
        if self.refiner_filename and self.dynamic_model:
            raise ValueError(
                "refinerFilename is for a runtime without dynamicModel; a dynamic one serves any"
            )
        return self

    @model_validator(mode="after")
    def _settings_can_be_opened(self) -> Self:
        refused = {name: refusal_to_open(name, default) for name, default in self.allowed_settings.items()}
        reasons = [
            f"{name} in allowedSettings cannot be opened: {reason}"
            for name, reason in refused.items()
            if reason
        ]
        if reasons:
            raise ValueError("; ".join(reasons))
        return self

    def as_domain(self, *, queue_url: str = "") -> DomainRuntime:
        """Add the models that the runtime serves and the scripts that its tasks may name."""
        return replace(
            super().as_domain(queue_url=queue_url),
            model_filename=self.model_filename or None,
            refiner_filename=self.refiner_filename or None,
            dynamic_model=self.dynamic_model,
            scripts=None if self.scripts is None else frozenset(self.scripts),
            settings=_kinds(self.allowed_settings),
        )

    def required_models(self) -> tuple[tuple[str, ...], ...]:
        """Return the checkpoints of a static runtime."""
        names = () if self.dynamic_model else (self.model_filename, self.refiner_filename)
        return tuple((f"{CHECKPOINT_FOLDER}/{name}",) for name in names if name)

    def sample_task(self) -> tuple[str, dict[str, Any]] | None:
        """Return a small image from the checkpoint of a static runtime; a dynamic one has none of its own."""
        if self.dynamic_model:
            return None
        return "text-to-image", {"prompt": "a cat in a garden", "steps": 10, "width": 512, "height": 512}

    def engine(self, _limits: Limits = DEFAULT_LIMITS) -> Engine:
        """Return the container of the runtime's SD Web UI."""
        webui = self.webui
        return Engine(
            container="webui",
            image=webui.image,
            credentials_secret=webui.credentials_secret,
            entry_point=webui.entry_point,
            command=webui.command,
            environment=_environment(self),
            # A path under /sdapi, because `/` returns 200 before /sdapi is available (tests/contract,
            # 83-webui-readiness-race).
            health_check=http_health_check(webui.port, webui.health_path),
            stop_seconds=_STOP_SECONDS,
            model_directory=webui.model_directory,
            model_folders=_model_folders(self),
            model_files=(STYLES_FILE,),
            settings=SettingsFile(
                source="container/consumer/engines/sdwebui/image/settings.json",
                path=_SETTINGS_FILE,
                volume="webui-settings",
            ),
            worker={
                "engine_url": f"http://127.0.0.1:{webui.port}",
                "model_filename": self.model_filename,
                "refiner_filename": self.refiner_filename,
                "dynamic_model": self.dynamic_model,
                "checkpoints_in_memory": self.checkpoints_in_memory,
                "allowed_scripts": self.scripts,
                "allowed_settings": self.as_domain().settings,
                "engine_settings": self.allowed_settings,
                "engine_folders": {WILDCARDS_SETTING: f"{webui.model_directory}/{WILDCARDS_FOLDER}"},
                "engine_settings_file": _SETTINGS_FILE,
            },
        )


def _kinds(settings: dict[str, Any]) -> dict[str, str]:
    """Return the types of settings, by name."""
    return {name: SETTING_KINDS.get(name) or str(value_kind(default)) for name, default in settings.items()}


def _environment(runtime: SdWebUi) -> dict[str, str]:
    """Return the environment in the settings, or the variables that the image of AWS's Guidance reads."""
    if runtime.webui.environment is not None:
        return runtime.webui.environment
    model = (
        {"DYNAMIC_SD_MODEL": "true"}
        if runtime.dynamic_model
        else {"SD_MODEL_CHECKPOINT": runtime.model_filename}
    )
    return {"API_ONLY": "true", "CONFIG_FILE": _SETTINGS_FILE, **model}


def _model_folders(runtime: SdWebUi) -> tuple[str, ...]:
    fetched_at_start = START_FOLDERS if runtime.sync_folders is None else runtime.sync_folders
    return tuple(sorted({*KNOWN_FOLDERS, *(folder.strip("/") for folder in fetched_at_start)}))
