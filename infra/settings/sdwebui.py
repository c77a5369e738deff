"""Settings of a runtime of type `sdwebui`."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from infra.settings.runtime import Runtime
from infra.settings.section import Section

_ModelFilename = Annotated[str, Field(max_length=255, pattern=r"^([^\x00-\x1f\x7f/][^\x00-\x1f\x7f]*)?$")]
_Script = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(str.lower)]
_Folder = Annotated[str, Field(pattern=r"^/[\x21-\x7e]*[\x21-\x2e\x30-\x7e]$")]


class WebUi(Section):
    """The SD Web UI image of a runtime, and how it is started and checked.

    The defaults fit the public image of AWS's Guidance. If `environment` is given, the container gets exactly
    that, otherwise the variables that this image reads (`infra.compute.sdwebui`).
    """

    image: Annotated[str, Field(min_length=1)] = "public.ecr.aws/bingjiao/sd-on-eks/sdwebui:latest"
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

    @model_validator(mode="after")
    def _serves_something(self) -> Self:
        if not self.dynamic_model and not self.model_filename:
            raise ValueError("a runtime without dynamicModel needs a modelFilename")
        for key, name in (("modelFilename", self.model_filename), ("refinerFilename", self.refiner_filename)):
            if ".." in name.split("/"):
                raise ValueError(f"{key} must not leave the model folder")
        if self.refiner_filename and self.dynamic_model:
            raise ValueError("refinerFilename is for a runtime without dynamicModel: this one serves any")
        return self

    def told_to_the_api(self) -> dict[str, Any]:
        """Add the models that the runtime serves and the scripts that its tasks may name."""
        refiner = {"refinerFilename": self.refiner_filename} if self.refiner_filename else {}
        scripts = {} if self.scripts is None else {"scripts": list(self.scripts)}
        models = {"modelFilename": self.model_filename, "dynamicModel": self.dynamic_model}
        return super().told_to_the_api() | models | refiner | scripts
