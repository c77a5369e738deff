"""List what changes a picture besides its prompt and settings: models, second passes, masks, earlier jobs."""

from pathlib import Path
from typing import Any

from PIL import Image

from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.models import digest
from local.fakes.sdwebui.parameters import SAME_MODULES, find_refiner, has_mask_effect, hires_params
from local.fakes.sdwebui.requests import (
    Generation,
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)
from local.fakes.sdwebui.scripts import ScriptPlan

DESCRIBED_ONLY = frozenset({"Hires resize", "Hires upscale", "Denoising strength"})
"""Parameters of the second pass that already change the size, or that are drawn elsewhere."""


def apply_effects(
    components: Components,
    request: Generation,
    plan: ScriptPlan,
    info_values: dict[str, Any],
    mask: Image.Image | None,
) -> tuple[str, ...]:
    """Load the LoRAs of the job, as far as Web UI does, and return everything that changes the picture."""
    effects = [f"clip skip {info_values['clip_skip']}"] if info_values["clip_skip"] > 1 else []
    prompts = [*info_values["all_prompts"][:1]]
    if isinstance(request, StableDiffusionProcessingTxt2Img) and request.enable_hr:
        prompts.append(request.hr_prompt or "")
        effects += _hires_effects(components, request, info_values)
    if isinstance(request, StableDiffusionProcessingImg2Img):
        effects += _image_effects(request, mask)
    refiner = find_refiner(components, request)
    if refiner is not None:
        effects.append(f"refiner {refiner.name} {request.refiner_switch_at}")
    if request.subseed_strength:
        effects.append(f"variation {info_values['subseed']} {request.subseed_strength}")
    if min(request.seed_resize_from_w or 0, request.seed_resize_from_h or 0) > 0:
        effects.append(f"resized from {request.seed_resize_from_w}x{request.seed_resize_from_h}")
    if request.tiling and not components.settings.is_forge:  # Forge reports it but does not apply it
        effects.append("tiling")
    effects += [path.name for path in _used_modules(components, request)]
    effects += plan.effects
    words = " ".join([*prompts, info_values["negative_prompt"]])
    effects += [f"embedding {path.stem} {digest(path)}" for path in components.embeddings.used_files(words)]
    loaded = components.networks.apply(
        prompts, disabled=bool(request.disable_extra_networks), model=info_values["sd_model_name"]
    )
    return (*effects, *loaded)


def _hires_effects(
    components: Components, request: StableDiffusionProcessingTxt2Img, info_values: dict[str, Any]
) -> list[str]:
    values = {**hires_params(components, request), **info_values["hires_prompts"]}
    values_shown = {
        name: value
        for name, value in values.items()
        if name not in DESCRIBED_ONLY and not name.startswith("Hires Module")
    }
    return [f"hires {values_shown}"]


def _image_effects(request: StableDiffusionProcessingImg2Img, mask: Image.Image | None) -> list[str]:
    effects = []
    if has_mask_effect(request, mask):
        area = request.inpaint_full_res_padding if request.inpaint_full_res else None
        effects.append(f"masked {request.inpainting_fill} {area}")
    if request.initial_noise_multiplier not in (None, 1.0):
        effects.append(f"noise {request.initial_noise_multiplier}")
    return effects


def _used_modules(components: Components, request: Generation) -> list[Path]:
    """Return the VAE and text encoders that are used: a second pass on Forge has its own."""
    if (
        components.settings.is_forge
        and isinstance(request, StableDiffusionProcessingTxt2Img)
        and request.enable_hr
    ):
        names = request.hr_additional_modules or []
        if SAME_MODULES not in names:
            return components.modules.find_all(names)
    return components.modules.used_files(components.options)
