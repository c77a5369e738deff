"""Check a task's content at submit, and remove the fields that this service controls."""

from collections.abc import Callable
from typing import Any, Final

from domain.errors import Fault
from domain.limits import DEFAULT_LIMITS, Limits
from domain.routing import Runtime
from runtimes.findings import Findings
from runtimes.sdwebui.bounds import limit_faults
from runtimes.sdwebui.checkpoints import normalize_checkpoint
from runtimes.sdwebui.controlnet import normalize_units
from runtimes.sdwebui.fields import FIELDS
from runtimes.sdwebui.inputs import stray_links, unreadable_images
from runtimes.sdwebui.named_models import invalid_weights
from runtimes.sdwebui.none_words import normalize_none_arguments, normalize_none_words
from runtimes.sdwebui.placeholders import placeholders
from runtimes.sdwebui.policy import ONE_TASK_EACH, OWNED_FIELDS
from runtimes.sdwebui.prompts import PROMPTS, strip_networks
from runtimes.sdwebui.scalars import read_values
from runtimes.sdwebui.scripts import normalize_scripts
from runtimes.sdwebui.settings import normalize_settings
from runtimes.sdwebui.task_type import TaskType
from runtimes.sdwebui.undone import ineffective_values
from runtimes.sdwebui.unknown import unknown_fields

_NEVER_NULL: Final = ("prompt", "width", "height")
_ROUNDED: Final = 8
"""SD Web UI samples sides in multiples of eight."""


class ContentCheck:
    """Checks one task's content; `faults` and `warnings` contain what was found, by JSON pointer."""

    def __init__(
        self,
        tasktype: TaskType | None,
        runtime: Runtime | None,
        *,
        path: str,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._findings = Findings(path)
        self._path = path
        self._tasktype = tasktype
        self._runtime = runtime
        self._limits = limits

    def normalize(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return a copy of `content` in the form that all other code reads, valid if there are no `faults`.

        Values are typed, and fields that this service controls or that have no effect are left out.
        Normalizing twice changes nothing, so the consumer can do it again, for messages of other publishers.
        """
        result = {key: value for key, value in content.items() if key not in OWNED_FIELDS}
        for key in OWNED_FIELDS:
            if key in content:
                self._findings.warn(f"/{key}", f"ignored: {OWNED_FIELDS[key]}")
        if self._tasktype is not None and self._tasktype.generates:
            normalize_units(result, self._findings)
        if self._tasktype is not None:
            self._read(self._tasktype, result)
            normalize_none_words(result)
        normalize_scripts(result, self._tasktype, self._runtime, self._findings)
        normalize_none_arguments(result)
        normalize_settings(result, self._runtime, self._findings)
        normalize_checkpoint(result, self._tasktype, self._runtime, self._findings)
        if self._tasktype is not None:
            self._without_networks(result)
            self._warn_of_negative_networks(result)
            for fault in invalid_weights(result):
                self._findings.fault(fault.path, fault.message)
            unread = {fault.path for fault in self.faults}
            counted = {name: value for name, value in result.items() if self._path + f"/{name}" not in unread}
            for fault in limit_faults(self._tasktype, counted, self._limits):
                self._findings.fault(fault.path, fault.message)
            self._warn_of_rounding(self._tasktype, result)
            for warning in ineffective_values(self._tasktype, result):
                self._findings.warn(warning.path, warning.message)
        self._check_inputs(result)
        return result

    @property
    def faults(self) -> list[Fault]:
        """Return the faults found, by JSON pointer."""
        return self._findings.faults

    @property
    def warnings(self) -> list[Fault]:
        """Return what was dropped or changed, or will differ from what was asked for."""
        return self._findings.warnings

    def _read(self, tasktype: TaskType, content: dict[str, Any]) -> None:
        """Convert the known fields to typed values, and report the others."""
        for fault in read_values(content, dict(FIELDS[tasktype]), ""):
            value = content[fault.path[1:]]
            several = isinstance(value, list) and len(value) > 1
            self._findings.fault(
                fault.path, f"{fault.message}; {ONE_TASK_EACH}" if several else fault.message
            )
        if tasktype.generates and "prompt" in content and content["prompt"] is None:
            self._findings.fault("/prompt", "a string is expected, not null")
        for name, kind in FIELDS[tasktype].items():
            # SD Web UI keeps null instead of its default, and fails with most of them.
            if kind.endswith("?") and name not in _NEVER_NULL and content.get(name, "") is None:
                del content[name]
        for warning in unknown_fields(tasktype, content):
            self._findings.warn(warning.path, warning.message)
        for path, text in placeholders(tasktype, content):
            self._findings.fault(path, f'"{text}" is a placeholder of SD Web UI\'s API page; leave it out')

    def _without_networks(self, content: dict[str, Any]) -> None:
        """Remove the networks from prompts that ask to be run without any.

        SD Web UI itself would skip the step that also removes the previous task's networks from the model.
        """
        if not content.get("disable_extra_networks"):
            return
        for name in PROMPTS:
            text = content.get(name)
            if isinstance(text, str) and (stripped := strip_networks(text)) != text:
                content[name] = stripped
                self._findings.warn(f"/{name}", "its networks are left out: disable_extra_networks is true")
        arguments = content.get("script_args")
        if isinstance(arguments, list):
            content["script_args"] = [
                strip_networks(item) if isinstance(item, str) else item for item in arguments
            ]
            if content["script_args"] != arguments:
                self._findings.warn(
                    "/script_args", "its networks are left out: disable_extra_networks is true"
                )

    def _warn_of_negative_networks(self, content: dict[str, Any]) -> None:
        for name in ("negative_prompt", "hr_negative_prompt"):
            text = content.get(name)
            if isinstance(text, str) and strip_networks(text) != text:
                self._findings.warn(
                    f"/{name}", "SD Web UI applies no networks here: it reads them as plain words"
                )

    def _warn_of_rounding(self, tasktype: TaskType, content: dict[str, Any]) -> None:
        for name in ("width", "height", "hr_resize_x", "hr_resize_y"):
            value = content.get(name)
            if name in FIELDS[tasktype] and isinstance(value, int) and value % _ROUNDED:
                rounded = value - value % _ROUNDED
                self._findings.warn(f"/{name}", f"SD Web UI rounds it to {rounded}, a multiple of {_ROUNDED}")

    def _check_inputs(self, content: dict[str, Any]) -> None:
        checks: dict[TaskType, Callable[[dict[str, Any]], None]] = {
            TaskType.IMAGE_TO_IMAGE: self._check_init_images,
            TaskType.EXTRA_SINGLE_IMAGE: self._check_image,
            TaskType.EXTRA_BATCH_IMAGES: self._check_image_list,
        }
        if self._tasktype in checks:
            checks[self._tasktype](content)
        for path, reason in stray_links(content):
            self._findings.fault(path, reason)
        reported = {fault.path for fault in self.faults}
        for path, reason in unreadable_images(content):
            if self._path + path not in reported:
                self._findings.fault(path, reason)

    def _check_init_images(self, content: dict[str, Any]) -> None:
        images = content.get("init_images")
        if images is None or images == []:
            self._findings.fault("/init_images", "image-to-image needs at least one image")
        elif isinstance(images, list):
            for index, image in enumerate(images):
                if not isinstance(image, str) or not image:
                    self._findings.fault(f"/init_images/{index}", "a link or a base64 image is expected")

    def _check_image(self, content: dict[str, Any]) -> None:
        if not content.get("image"):
            self._findings.fault("/image", "a link or a base64 image is expected")

    def _check_image_list(self, content: dict[str, Any]) -> None:
        images = content.get("imageList")
        if not images:
            self._findings.fault("/imageList", "a list of at least one {data, name} is expected")
        elif isinstance(images, list):
            for index, entry in enumerate(images):
                for key in ("data", "name"):
                    if not isinstance(entry, dict) or not isinstance(entry.get(key), str) or not entry[key]:
                        self._findings.fault(f"/imageList/{index}/{key}", "a string is expected")
