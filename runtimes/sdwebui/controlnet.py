"""Convert ControlNet's units to the form that both of its versions, Mikubill's and Forge's, can read.

A version silently ignores fields of a unit that it does not know, and generates without control.
"""

from typing import Any, Final

from domain.body import pointer
from runtimes.findings import Findings
from runtimes.sdwebui.mention import is_on

_SCRIPT: Final = "ControlNet"
_UNITS: Final = "controlnet_units"
"""The field in which the deprecated routes of Mikubill's ControlNet took the units."""

_OLD_NAMES: Final = {
    "input_image": "image",
    "mask": "mask_image",
    "guidance": "guidance_end",
    "lowvram": "low_vram",
}
"""Names that only Mikubill's version still reads."""

_CHOICES: Final = {
    "control_mode": ("Balanced", "My prompt is more important", "ControlNet is more important"),
    "resize_mode": ("Just Resize", "Crop and Resize", "Resize and Fill"),
    "hr_option": ("Both", "Low res only", "High res only"),
}
"""The texts of choices, which both versions read. Forge replaces any other `control_mode`, including numbers,
by the first one."""

_OTHER_CHOICES: Final = {
    "scale to fit (inner fit)": "Crop and Resize",
    "inner fit (scale to fit)": "Crop and Resize",
    "envelope (outer fit)": "Resize and Fill",
    "outer fit (shrink to fit)": "Resize and Fill",
    "hiresfixoption.both": "Both",
    "hiresfixoption.low_res_only": "Low res only",
    "hiresfixoption.high_res_only": "High res only",
}
"""Texts from older versions."""

_POSITIONAL: Final = (
    "a unit is an object, such as {image, module, model}; SD Web UI silently ignores positional arguments"
)


def normalize_units(content: dict[str, Any], findings: Findings) -> None:
    """Convert the units of a task's content in place; report a fault for anything that is not a unit."""
    scripts = content.get("alwayson_scripts")
    if _UNITS in content:
        scripts = content["alwayson_scripts"] = dict(scripts) if isinstance(scripts, dict) else {}
        _move_old_field(content, scripts, findings)
    if not isinstance(scripts, dict):
        return
    for name, entry in scripts.items():
        arguments = entry.get("args") if isinstance(entry, dict) else None
        if name.lower() == _SCRIPT.lower() and isinstance(arguments, list):
            path = f"/alwayson_scripts/{pointer(name)}/args"
            units = _read_units(arguments, path, findings)
            content["alwayson_scripts"] = content["alwayson_scripts"] | {name: {**entry, "args": units}}


def _move_old_field(content: dict[str, Any], scripts: dict[str, Any], findings: Findings) -> None:
    units = content.pop(_UNITS)
    if not isinstance(units, list):
        findings.fault(f"/{_UNITS}", "an array of ControlNet units is expected")
        return
    name = next((name for name in scripts if name.lower() == _SCRIPT.lower()), _SCRIPT)
    entry: Any = scripts.get(name)
    own = entry.get("args") if isinstance(entry, dict) else None
    scripts[name] = {"args": [*(own if isinstance(own, list) else ()), *units]}
    findings.warn(f"/{_UNITS}", f"taken as alwayson_scripts.{name}.args")


def _read_units(arguments: list[Any], path: str, findings: Findings) -> list[Any]:
    units: list[Any] = []
    for index, argument in enumerate(arguments):
        if isinstance(argument, dict):
            unit = _read_unit(argument)
            _read_choices(unit, f"{path}/{index}", findings)
            units.append(unit)
        elif argument is not None:  # Forge fails on null, and then applies no unit at all
            findings.fault(f"{path}/{index}", _POSITIONAL)
    return units


def _read_unit(unit: dict[str, Any]) -> dict[str, Any]:
    result = dict(unit)
    for old, new in _OLD_NAMES.items():
        if result.get(old) is not None and result.get(new) is None:
            result[new] = result.pop(old)
    image = result.get("image")
    if isinstance(image, list) and len(image) == 2 and all(isinstance(item, str) for item in image):
        image = dict(zip(("image", "mask"), image, strict=True))
    if isinstance(image, dict) and isinstance(image.get("image"), str):
        result["image"] = image["image"]
        if image.get("mask") and result.get("mask_image") is None:
            result["mask_image"] = image["mask"]
    # The default differs: Mikubill's units are off, Forge's are on.
    if result.get("enabled") is None:
        result["enabled"] = True
    return result


def _read_choices(unit: dict[str, Any], path: str, findings: Findings) -> None:
    """Replace each choice of a unit by the text that both versions read; report values that are no choice."""
    for name, choices in _CHOICES.items():
        if (value := unit.get(name)) is None:
            unit.pop(name, None)
        elif (text := _read_choice(value, choices)) is not None:
            unit[name] = text
        elif is_on(unit["enabled"]):
            findings.fault(f"{path}/{name}", f"one of {', '.join(choices)} is expected")


def _read_choice(value: Any, choices: tuple[str, ...]) -> str | None:
    """Return the choice that a text (in any case) or a number, as its position, refers to."""
    if isinstance(value, str):
        value = _OTHER_CHOICES.get(value.lower(), value)
        return next((choice for choice in choices if choice.lower() == value.lower()), None)
    is_place = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(choices)
    return choices[value] if is_place else None
