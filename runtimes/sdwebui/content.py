"""A task's content at submit: checked, and rid of what this service owns."""

from collections.abc import Callable
from typing import Any, Final

from domain.body import pointer
from domain.errors import ErrorCode, Fault
from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtime
from domain.task import TaskType
from runtimes.sdwebui.bounds import beyond
from runtimes.sdwebui.fields import FIELDS, mismatch
from runtimes.sdwebui.overrides import refused_setting
from runtimes.sdwebui.policy import (
    OWNED_FIELDS,
    PATH_REFUSED,
    ROUTING_KEYS,
    SUBMIT_ONLY_KEYS,
    names_a_path,
    refused_script,
)

_SAME_CHECKPOINT: Final = (None, "", "None", "Use same checkpoint")


class ContentCheck:
    """Check one task's content; `faults` and `warnings` collect what was found, by JSON pointer."""

    def __init__(
        self,
        tasktype: TaskType | None,
        runtime: Runtime | None,
        *,
        path: str,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self._tasktype = tasktype
        self._runtime = runtime
        self._path = path
        self._limits = limits

    def normalise(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return a copy of `content` without what is ours; it is only valid when `faults` is empty.

        Normalising twice changes nothing, so the consumer does it again to messages from anywhere.
        """
        result = {key: value for key, value in content.items() if key not in OWNED_FIELDS}
        for key in content.keys() & OWNED_FIELDS.keys():
            self._warn(f"/{key}", f"ignored: {OWNED_FIELDS[key]}")
        self._check_types(result)
        self._check_bounds(result)
        self._check_inputs(result)
        scripts = result.get("alwayson_scripts")
        if isinstance(scripts, dict):
            result["alwayson_scripts"] = self._scripts(scripts)
        self._settings(result)
        self._checkpoint(result)
        return result

    def _fault(self, path: str, message: str, code: ErrorCode = ErrorCode.INVALID_TASK) -> None:
        self.faults.append(Fault(self._path + path, message, code))

    def _warn(self, path: str, message: str) -> None:
        self.warnings.append(Fault(self._path + path, message))

    def _check_types(self, content: dict[str, Any]) -> None:
        if self._tasktype is None:
            return
        for name, kind in FIELDS[self._tasktype].items():
            if name in content and (expected := mismatch(kind, content[name])):
                self._fault(f"/{name}", expected)
        if self._tasktype.generates and "prompt" in content and content["prompt"] is None:
            self._fault("/prompt", "a string is expected, not null")

    def _check_bounds(self, content: dict[str, Any]) -> None:
        if self._tasktype is not None:
            for fault in beyond(self._tasktype, content, self._limits):
                self._fault(fault.path, fault.message)

    def _check_inputs(self, content: dict[str, Any]) -> None:
        checks: dict[TaskType, Callable[[dict[str, Any]], None]] = {
            TaskType.IMAGE_TO_IMAGE: self._check_init_images,
            TaskType.EXTRA_SINGLE_IMAGE: self._check_image,
            TaskType.EXTRA_BATCH_IMAGES: self._check_image_list,
        }
        if self._tasktype in checks:
            checks[self._tasktype](content)

    def _check_init_images(self, content: dict[str, Any]) -> None:
        images = content.get("init_images")
        if images is None or images == []:
            self._fault("/init_images", "image-to-image needs at least one image")
        elif isinstance(images, list):
            for index, image in enumerate(images):
                if not isinstance(image, str) or not image:
                    self._fault(f"/init_images/{index}", "a link or a base64 image is expected")

    def _check_image(self, content: dict[str, Any]) -> None:
        if not content.get("image"):
            self._fault("/image", "a link or a base64 image is expected")

    def _check_image_list(self, content: dict[str, Any]) -> None:
        images = content.get("imageList")
        if not images:
            self._fault("/imageList", "a list of at least one {data, name} is expected")
        elif isinstance(images, list):
            for index, entry in enumerate(images):
                for key in ("data", "name"):
                    if not isinstance(entry, dict) or not isinstance(entry.get(key), str) or not entry[key]:
                        self._fault(f"/imageList/{index}/{key}", "a string is expected")

    def _scripts(self, scripts: dict[str, Any]) -> dict[str, Any]:
        result = {key: value for key, value in scripts.items() if key not in SUBMIT_ONLY_KEYS}
        for key in sorted(scripts.keys() & SUBMIT_ONLY_KEYS):
            self._warn(f"/alwayson_scripts/{key}", "ignored: it routes a v1alpha1 task and names no script")
        for name, entry in result.items():
            path = f"/alwayson_scripts/{pointer(name)}"
            if name in ROUTING_KEYS:
                self._routing_key(path, name, entry)
            elif not isinstance(entry, dict):
                self._fault(path, "an object is expected")
            elif not isinstance(entry.get("args", []), list):
                self._fault(f"{path}/args", "an array is expected")
            if name not in ROUTING_KEYS:
                self._allowed_script(path, name)
                self._no_paths(path, entry)
        return result

    def _routing_key(self, path: str, name: str, value: Any) -> None:
        expected = dict if name == "override_settings" else str
        if not isinstance(value, expected) or (name == "sd_model_checkpoint" and not value):
            self._fault(path, "an object is expected" if expected is dict else "a name is expected")

    def _allowed_script(self, path: str, name: str) -> None:
        if why := refused_script(name, self._runtime.scripts if self._runtime else None):
            self._fault(path, f"not allowed: {why}")

    def _no_paths(self, path: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                here = f"{path}/{pointer(key)}"
                if names_a_path(key, item):
                    self._fault(here, PATH_REFUSED)
                self._no_paths(here, item)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._no_paths(f"{path}/{index}", item)

    def _settings(self, content: dict[str, Any]) -> None:
        name = content.get("script_name")
        if isinstance(name, str) and name:
            self._allowed_script("/script_name", name)
        scripts = content.get("alwayson_scripts")
        scripts = scripts if isinstance(scripts, dict) else {}
        for path, settings in (
            ("/override_settings", content.get("override_settings")),
            ("/alwayson_scripts/override_settings", scripts.get("override_settings")),
        ):
            for key in settings if isinstance(settings, dict) else ():
                if why := refused_setting(key):
                    self._fault(f"{path}/{pointer(key)}", f"not allowed: {why}")

    def _checkpoint(self, content: dict[str, Any]) -> None:
        """Settle which checkpoint the task names, and hold it against the runtime (design, section 3.3)."""
        named = self._take_overridden_checkpoint(content)
        if self._runtime is None or self._tasktype is None or not self._tasktype.generates:
            return
        scripts = content.get("alwayson_scripts")
        if scripts is None:
            scripts = content["alwayson_scripts"] = {}
        if not isinstance(scripts, dict):
            return
        name = scripts.get("sd_model_checkpoint")
        path = "/alwayson_scripts/sd_model_checkpoint"
        if name is None and named is not None:
            name = scripts["sd_model_checkpoint"] = named
            path = "/override_settings/sd_model_checkpoint"
        if self._runtime.dynamic_model:
            if name is None and self._runtime.model_filename:
                scripts["sd_model_checkpoint"] = self._runtime.model_filename
            elif name is None:
                self._fault(path, f"runtime {self._runtime.name} needs the name of a checkpoint here")
        else:
            self._served(path, name, self._runtime)
            # A second checkpoint in the midst of a task would be one more that this runtime does not serve.
            for field in ("refiner_checkpoint", "hr_checkpoint_name"):
                if content.get(field) not in _SAME_CHECKPOINT:
                    self._served(f"/{field}", content[field], self._runtime)

    def _served(self, path: str, name: Any, runtime: Runtime) -> None:
        if isinstance(name, str) and not runtime.serves(name):
            message = f"runtime {runtime.name} serves {runtime.model_filename} and no other"
            self._fault(path, message, ErrorCode.UNKNOWN_MODEL)

    def _take_overridden_checkpoint(self, content: dict[str, Any]) -> str | None:
        """Take `sd_model_checkpoint` out of the overrides: only the seed's key chooses the checkpoint.

        A real Web UI answers 200 with the wrong model to an unknown name there (42-override-checkpoint-*).
        """
        found: str | None = None
        scripts = content.get("alwayson_scripts")
        holders = [("", content)]
        if isinstance(scripts, dict):
            holders.append(("/alwayson_scripts", scripts))
        for path, holder in holders:
            settings = holder.get("override_settings")
            if not isinstance(settings, dict) or "sd_model_checkpoint" not in settings:
                continue
            name = settings["sd_model_checkpoint"]
            holder["override_settings"] = {k: v for k, v in settings.items() if k != "sd_model_checkpoint"}
            here = f"{path}/override_settings/sd_model_checkpoint"
            if not isinstance(name, str) or not name:
                self._fault(here, "a name is expected")
            elif isinstance(scripts, dict) and scripts.get("sd_model_checkpoint") is not None:
                self._warn(here, "ignored: alwayson_scripts.sd_model_checkpoint names the checkpoint")
            else:
                self._warn(here, "taken as alwayson_scripts.sd_model_checkpoint")
                found = name
        return found
