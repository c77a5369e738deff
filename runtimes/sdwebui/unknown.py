"""Report fields that SD Web UI does not know, with what the caller may have meant."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from domain.body import pointer
from domain.errors import Fault
from runtimes.sdwebui.fields import FIELDS
from runtimes.sdwebui.task_type import TaskType

MAX_WARNINGS: Final = 20
"""Maximum number of unknown fields that are named one by one."""

_MAX_NAME: Final = 64
_CUTOFF: Final = 0.8

FOREIGN_FIELDS: Final[Mapping[str, str]] = {
    "batch_count": "n_iter",
    "checkpoint": "alwayson_scripts.sd_model_checkpoint",
    "clip_skip": "override_settings.CLIP_stop_at_last_layers",
    "controlnet": "alwayson_scripts.controlnet.args",
    "enable_hires": "enable_hr",
    "enhance_prompt": "a more detailed prompt",
    "guidance_scale": "cfg_scale",
    "hires_fix": "enable_hr",
    "hires_scale": "hr_scale",
    "hires_steps": "hr_second_pass_steps",
    "hires_upscaler": "hr_upscaler",
    "image": "init_images",
    "image_link": "init_images",
    "init_image": "init_images",
    "loras": "<lora:name:weight> in the prompt",
    "mask_image": "mask",
    "model": "alwayson_scripts.sd_model_checkpoint",
    "num_images": "batch_size",
    "num_images_per_prompt": "batch_size",
    "num_inference_steps": "steps",
    "num_outputs": "batch_size",
    "num_steps": "steps",
    "sampler": "sampler_name",
    "sd_model_checkpoint": "alwayson_scripts.sd_model_checkpoint",
    "sd_vae": "override_settings.sd_vae",
    "strength": "denoising_strength",
    "vae": "override_settings.sd_vae",
}
"""Names of fields in other APIs, and the corresponding places in SD Web UI's."""


def unknown_fields(tasktype: TaskType, content: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a warning for each field that SD Web UI ignores, with what may have been meant."""
    known = FIELDS[tasktype]
    unknown = [name for name in content if name not in known and name != "alwayson_scripts"]
    for name in unknown[:MAX_WARNINGS]:
        shown = name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…"
        text = f"ignored by SD Web UI: not a field of {tasktype.value}"
        yield Fault(f"/{pointer(shown)}", f"{text}{_suggestion(name, known)}")
    if len(unknown) > MAX_WARNINGS:
        yield Fault("", f"{len(unknown) - MAX_WARNINGS} more fields are ignored by SD Web UI")


def _suggestion(name: str, known: Mapping[str, str]) -> str:
    others = [tasktype.value for tasktype in TaskType if name in FIELDS[tasktype]]
    if others:
        return f", but of {' and '.join(others)}"
    foreign = FOREIGN_FIELDS.get(_with_underscores(name)) if len(name) <= _MAX_NAME else None
    if foreign is not None and (foreign in known or foreign.partition(".")[0] in known or " " in foreign):
        return f"; did you mean {foreign}?"
    if len(name) > _MAX_NAME:
        return ""
    near = get_close_matches(
        _without_separators(name), [_without_separators(field) for field in known], n=1, cutoff=_CUTOFF
    )
    similar = next((field for field in known if near and _without_separators(field) == near[0]), None)
    return f"; did you mean {similar}?" if similar else ""


def _with_underscores(name: str) -> str:
    return name.lower().replace("-", "_")


def _without_separators(name: str) -> str:
    return _with_underscores(name).replace("_", "")
