"""Check the settings that a task overrides, and convert them to typed values."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from domain.body import pointer
from domain.routing import Runtime
from runtimes.findings import Findings
from runtimes.sdwebui.opened_settings import value_refusal
from runtimes.sdwebui.overrides import (
    SETTING_BOUNDS,
    SETTING_CHOICES,
    SETTING_KINDS,
    setting_refusal,
    with_forward_slashes,
)
from runtimes.sdwebui.placeholders import is_placeholder_key
from runtimes.sdwebui.scalars import Mismatch, read_value
from runtimes.sdwebui.script_sizes import script_units

NO_DETECTED_MAPS: Final = "control_net_no_detectmap"
"""A setting of ControlNet that SD Web UI would keep for later tasks, so it is replaced by a field of each
unit."""


def normalize_settings(content: dict[str, Any], runtime: Runtime | None, findings: Findings) -> None:
    """Check `override_settings` in both of its places, and convert its values in place."""
    opened = runtime.settings if runtime else {}
    for path, holder in _holders(content):
        settings = holder.get("override_settings")
        if not isinstance(settings, dict):
            continue
        settings = holder["override_settings"] = dict(settings)
        if NO_DETECTED_MAPS in settings:
            _set_save_detected_map(
                settings.pop(NO_DETECTED_MAPS), content, f"{path}/{NO_DETECTED_MAPS}", findings
            )
        for name in settings:
            _normalize(settings, name, f"{path}/{pointer(name)}", findings, opened)


def _holders(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "/override_settings", content
    scripts = content.get("alwayson_scripts")
    if isinstance(scripts, dict):
        yield "/alwayson_scripts/override_settings", scripts


def _normalize(
    settings: dict[str, Any], name: str, path: str, findings: Findings, opened: Mapping[str, str]
) -> None:
    value = settings[name]
    if is_placeholder_key(name):
        return  # reported with all other placeholders
    kind = SETTING_KINDS.get(name) or opened.get(name)
    reason = setting_refusal(name, opened) or (name in opened and value_refusal(value))
    if reason:
        findings.fault(path, f"not allowed: {reason}")
        return
    if kind is None:
        return
    try:
        value = settings[name] = read_value(kind, value)
        if name == "sd_vae":
            settings[name] = with_forward_slashes(value)
    except Mismatch as expected:
        findings.fault(path, str(expected))
        return
    if name in SETTING_BOUNDS:
        low, high = SETTING_BOUNDS[name]
        if not low <= value <= high:
            findings.fault(path, f"must be from {low} to {high}")
    choices = SETTING_CHOICES.get(name)
    if choices is not None and value not in choices:
        same = [choice for choice in choices if choice.lower() == str(value).lower()]
        if same:
            settings[name] = same[0]
            findings.warn(path, f"taken as {same[0]}")
        else:
            findings.fault(path, f"one of {', '.join(choices)} is expected")


def _set_save_detected_map(value: Any, content: dict[str, Any], path: str, findings: Findings) -> None:
    try:
        off = read_value("boolean", value)
    except Mismatch as expected:
        findings.fault(path, str(expected))
        return
    if off:
        for _, unit in script_units(content, "controlnet"):
            unit["save_detected_map"] = False
    findings.warn(path, f"taken as save_detected_map: {'false' if off else 'true'} of each ControlNet unit")
