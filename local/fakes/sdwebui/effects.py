"""What changes a picture besides the request's own values: models, second passes, masks, earlier jobs."""

from pathlib import Path
from typing import Any

from PIL import Image

from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.models import digest
from local.fakes.sdwebui.parameters import SAME_MODULES, masks_anything, of_hires_fix, refiner_of
from local.fakes.sdwebui.requests import (
    Generation,
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)
from local.fakes.sdwebui.scripts import Plan

DESCRIBED_ONLY = frozenset({"Hires resize", "Hires upscale", "Denoising strength"})
"""Parameters of the second pass that already change the size, or that are drawn elsewhere."""


def effects(
    components: Components, request: Generation, plan: Plan, made: dict[str, Any], mask: Image.Image | None
) -> tuple[str, ...]:
    """Load the LoRAs of the job, as far as Web UI does, and return everything that changes the picture."""
    found = [f"clip skip {made['clip_skip']}"] if made["clip_skip"] > 1 else []
    prompts = [*made["all_prompts"][:1]]
    if isinstance(request, StableDiffusionProcessingTxt2Img) and request.enable_hr:
        prompts.append(request.hr_prompt or "")
        found += _of_hires_fix(components, request, made)
    if isinstance(request, StableDiffusionProcessingImg2Img):
        found += _of_image(request, mask)
    refiner = refiner_of(components, request)
    if refiner is not None:
        found.append(f"refiner {refiner.name} {request.refiner_switch_at}")
    if request.subseed_strength:
        found.append(f"variation {made['subseed']} {request.subseed_strength}")
    if min(request.seed_resize_from_w or 0, request.seed_resize_from_h or 0) > 0:
        found.append(f"resized from {request.seed_resize_from_w}x{request.seed_resize_from_h}")
    if request.tiling and not components.settings.forge:  # Forge reports it but does not apply it
        found.append("tiling")
    found += [path.name for path in _modules(components, request)]
    found += plan.effects
    words = " ".join([*prompts, made["negative_prompt"]])
    found += [f"embedding {path.stem} {digest(path)}" for path in components.embeddings.used(words)]
    loaded = components.networks.apply(
        prompts, disabled=bool(request.disable_extra_networks), model=made["sd_model_name"]
    )
    return (*found, *loaded)


def _of_hires_fix(
    components: Components, request: StableDiffusionProcessingTxt2Img, made: dict[str, Any]
) -> list[str]:
    values = {**of_hires_fix(components, request), **made["hires_prompts"]}
    shown = {
        name: value
        for name, value in values.items()
        if name not in DESCRIBED_ONLY and not name.startswith("Hires Module")
    }
    return [f"hires {shown}"]


def _of_image(request: StableDiffusionProcessingImg2Img, mask: Image.Image | None) -> list[str]:
    found = []
    if masks_anything(request, mask):
        area = request.inpaint_full_res_padding if request.inpaint_full_res else None
        found.append(f"masked {request.inpainting_fill} {area}")
    if request.initial_noise_multiplier not in (None, 1.0):
        found.append(f"noise {request.initial_noise_multiplier}")
    return found


def _modules(components: Components, request: Generation) -> list[Path]:
    """Return the VAE and text encoders that are used: a second pass on Forge has its own."""
    if (
        components.settings.forge
        and isinstance(request, StableDiffusionProcessingTxt2Img)
        and request.enable_hr
    ):
        named = request.hr_additional_modules or []
        if SAME_MODULES not in named:
            return components.modules.found(named)
    return components.modules.used(components.options)
