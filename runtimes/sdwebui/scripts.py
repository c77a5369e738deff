"""Check the scripts of a task: whether they are allowed, their arguments, and whether they do anything."""

from typing import Any, Final

from domain.body import pointer
from domain.routing import Runtime
from runtimes.findings import Findings
from runtimes.sdwebui.policy import (
    REFUSED_SCRIPTS,
    ROUTING_KEYS,
    SUBMIT_ONLY_KEYS,
    argument_refusal,
    script_refusal,
)
from runtimes.sdwebui.redundant_scripts import is_redundant, is_switched_off
from runtimes.sdwebui.script_sizes import script_units
from runtimes.sdwebui.task_type import TaskType
from runtimes.sdwebui.units import read_units

_NO_SCRIPTS: Final = "an extras task runs no scripts; use a task of type image-to-image"
_NO_SETTINGS: Final = "ignored: an extras task has no settings"


def normalize_scripts(
    content: dict[str, Any], tasktype: TaskType | None, runtime: Runtime | None, findings: Findings
) -> None:
    """Check the scripts of a task's content, and replace them by a copy with typed values."""
    name = content.get("script_name")
    if isinstance(name, str) and name:
        _check_is_allowed("/script_name", name, runtime, findings)
    scripts = content.get("alwayson_scripts")
    if isinstance(scripts, dict):
        _move_image_link(content, scripts, tasktype, findings)
        content["alwayson_scripts"] = _Scripts(content, runtime, findings).normalize(scripts)
        if tasktype is TaskType.TEXT_TO_IMAGE:
            _check_unit_images(content, findings)
    if tasktype is not None and not tasktype.generates:
        _check_extras(content, findings)


def _check_extras(content: dict[str, Any], findings: Findings) -> None:
    """Refuse scripts in an extras task, because SD Web UI would silently ignore them."""
    if content.get("script_name"):
        findings.fault("/script_name", _NO_SCRIPTS)
    scripts = content.get("alwayson_scripts")
    for name, entry in list(scripts.items()) if isinstance(scripts, dict) else ():
        path = f"/alwayson_scripts/{pointer(name)}"
        if name not in ROUTING_KEYS and is_switched_off(entry):
            del content["alwayson_scripts"][name]
            findings.warn(path, f"left out, because it is off: {_NO_SCRIPTS}")
        elif name not in ROUTING_KEYS:
            findings.fault(path, _NO_SCRIPTS)
        elif name in ("sd_vae", "override_settings") and entry:
            findings.warn(path, _NO_SETTINGS)


def _check_unit_images(content: dict[str, Any], findings: Findings) -> None:
    """Refuse a ControlNet unit without an image if the task has none, because it would be ignored."""
    for path, unit in script_units(content, "controlnet"):
        if not any(value for key, value in unit.items() if "image" in key or "input" in key):
            findings.fault(path, "a ControlNet unit needs an image in this task type: a link or base64")


def _move_image_link(
    content: dict[str, Any], scripts: dict[str, Any], tasktype: TaskType | None, findings: Findings
) -> None:
    """Move `image_link` to where SD Web UI reads it, as AWS's Guidance does for both API versions."""
    link = scripts.get("image_link")
    if not isinstance(link, str) or not link:
        return
    path = "/alwayson_scripts/image_link"
    if tasktype is TaskType.IMAGE_TO_IMAGE and not content.get("init_images"):
        content["init_images"] = [link]
        findings.warn(path, "taken as init_images")
    elif tasktype is TaskType.EXTRA_SINGLE_IMAGE and not content.get("image"):
        content["image"] = link
        findings.warn(path, "taken as image")
    else:
        findings.warn(path, "ignored: the content has its own images, or the task type uses none")


class _Scripts:
    def __init__(self, content: dict[str, Any], runtime: Runtime | None, findings: Findings) -> None:
        self._content = content
        self._runtime = runtime
        self._findings = findings

    def normalize(self, scripts: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        named: dict[str, str] = {}
        for name, entry in scripts.items():
            path = f"/alwayson_scripts/{pointer(name)}"
            if name in SUBMIT_ONLY_KEYS:
                if name != "image_link" or not isinstance(entry, str):
                    self._findings.warn(path, "ignored: it routes a v1alpha1 task and names no script")
            elif name in ROUTING_KEYS:
                self._routing_key(path, name, entry)
                result[name] = entry
            elif is_redundant(name.lower(), entry, self._content):
                self._findings.warn(path, "left out: it adds nothing to the content")
            elif self._is_empty(name, entry):
                self._findings.warn(path, "left out: it has no arguments")
            else:
                result[name] = self._script(path, name, entry)
                if (other := named.setdefault(name.lower(), name)) != name:
                    self._findings.fault(path, f"{other} is the same script; one of the two would be ignored")
        return result

    def _routing_key(self, path: str, name: str, value: Any) -> None:
        expected = dict if name == "override_settings" else str
        if not isinstance(value, expected) or (name == "sd_model_checkpoint" and not value):
            self._findings.fault(path, "an object is expected" if expected is dict else "a name is expected")

    def _is_empty(self, name: str, entry: Any) -> bool:
        """Return whether a script is not allowed but its entry has no arguments, as if it were not there."""
        listed = self._runtime.scripts if self._runtime else None
        if name.lower() in REFUSED_SCRIPTS:
            return False
        return entry in ({}, {"args": []}) and script_refusal(name, listed) is not None

    def _script(self, path: str, name: str, entry: Any) -> Any:
        _check_is_allowed(path, name, self._runtime, self._findings)
        self._check_arguments(path, entry)
        if not isinstance(entry, dict):
            self._findings.fault(path, "an object is expected")
            return entry
        arguments = entry.get("args", [])
        if not isinstance(arguments, list):
            self._findings.fault(f"{path}/args", "an array is expected")
            return entry
        typed, faults = read_units(name.lower(), arguments, f"{path}/args")
        for fault in faults:
            self._findings.fault(fault.path, fault.message)
        return entry if typed is arguments else {**entry, "args": typed}

    def _check_arguments(self, path: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                here = f"{path}/{pointer(key)}"
                if reason := argument_refusal(key, item):
                    self._findings.fault(here, reason)
                self._check_arguments(here, item)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._check_arguments(f"{path}/{index}", item)


def _check_is_allowed(path: str, name: str, runtime: Runtime | None, findings: Findings) -> None:
    if reason := script_refusal(name, runtime.scripts if runtime else None):
        findings.fault(path, f"not allowed: {reason}")
