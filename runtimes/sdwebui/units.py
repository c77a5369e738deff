"""Typed arguments of ControlNet and ADetailer, because Forge's ControlNet reads `"false"` as true."""

from collections.abc import Callable
from typing import Any, Final

from domain.errors import Fault
from runtimes.sdwebui.scalars import Mismatch, read_value, read_values


def _kinds_by_name(text: dict[str, str]) -> dict[str, str]:
    return {name: kind for kind, names in text.items() for name in names.split()}


_CONTROLNET: Final = _kinds_by_name(
    {
        "boolean": (
            "enabled pixel_perfect low_vram lowvram guessmode guess_mode loopback save_detected_map "
            "use_preview_as_input inpaint_crop_input_image"
        ),
        "integer": "processor_res",
        "number": "weight guidance guidance_start guidance_end threshold_a threshold_b",
    }
)

_ADETAILER: Final = _kinds_by_name(
    {
        "boolean": (
            "ad_tab_enable ad_use_inpaint_width_height ad_use_steps ad_use_cfg_scale ad_use_checkpoint "
            "ad_use_vae ad_use_sampler ad_use_noise_multiplier ad_use_clip_skip ad_restore_face "
            "ad_inpaint_only_masked"
        ),
        "integer": (
            "ad_mask_k ad_mask_k_largest ad_dilate_erode ad_x_offset ad_y_offset ad_mask_blur "
            "ad_inpaint_only_masked_padding ad_inpaint_width ad_inpaint_height ad_steps ad_clip_skip"
        ),
        "number": (
            "ad_confidence ad_mask_min_ratio ad_mask_max_ratio ad_denoising_strength ad_cfg_scale "
            "ad_noise_multiplier ad_controlnet_weight ad_controlnet_guidance_start "
            "ad_controlnet_guidance_end"
        ),
    }
)
_ADETAILER_SWITCHES: Final = 2
"""ADetailer's first two arguments may be booleans: enabled, and skipping the image-to-image pass."""


def read_units(script: str, arguments: list[Any], path: str) -> tuple[list[Any], list[Fault]]:
    """Return a copy of an always-on script's arguments with typed values, and faults for unreadable ones.

    Disabled units of ControlNet are left out, because they have no effect, whatever else they contain.
    """
    if script == "controlnet":
        return _read_objects(arguments, _CONTROLNET, path, keep=lambda unit: unit.get("enabled") is not False)
    if script == "adetailer":
        arguments, faults = _read_objects(arguments, _ADETAILER, path, keep=lambda _: True)
        for index, value in enumerate(arguments[:_ADETAILER_SWITCHES]):
            if isinstance(value, str):
                try:
                    arguments[index] = read_value("boolean", value)
                except Mismatch as expected:
                    faults.append(Fault(f"{path}/{index}", str(expected)))
        return arguments, faults
    return arguments, []


def _read_objects(
    arguments: list[Any], kinds: dict[str, str], path: str, *, keep: Callable[[dict[str, Any]], bool]
) -> tuple[list[Any], list[Fault]]:
    typed: list[Any] = []
    faults: list[Fault] = []
    for index, argument in enumerate(arguments):
        if not isinstance(argument, dict):
            typed.append(argument)
            continue
        unit = {name: value for name, value in argument.items() if value is not None or name not in kinds}
        faults += read_values(unit, kinds, f"{path}/{index}")
        if keep(unit):
            typed.append(unit)
    return typed, faults
