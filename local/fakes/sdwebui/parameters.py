"""The `extra_generation_params` of a generation in `info` and in infotexts."""

from typing import Any

from PIL import Image

from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.models import Checkpoint
from local.fakes.sdwebui.requests import (
    Generation,
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)

MASKED_CONTENTS = ("fill", "original", "latent noise", "latent nothing")
ORIGINAL = 1  # index of the masked content that is not mentioned in the infotext
NO_REFINER = (None, "", "None", "none")
SAME_CHECKPOINT = (None, "", "Use same checkpoint")
SAME_MODULES = "Use same choices"


def image_params(request: StableDiffusionProcessingImg2Img, mask: Image.Image | None) -> dict[str, Any]:
    """Return the strength and how the mask was used; see `has_mask_effect` for black masks."""
    extra: dict[str, Any] = {"Denoising strength": request.denoising_strength}
    if mask is not None:
        blur = request.mask_blur_x if request.mask_blur is None else request.mask_blur
        extra |= {"Mask blur": blur} if blur else {}
        if has_mask_effect(request, mask):
            if request.inpaint_full_res:
                extra["Inpaint area"] = "Only masked"
                extra["Masked area padding"] = request.inpaint_full_res_padding
            fill = int(request.inpainting_fill or 0)
            if fill != ORIGINAL and fill < len(MASKED_CONTENTS):
                extra["Masked content"] = MASKED_CONTENTS[fill]
    if request.initial_noise_multiplier not in (None, 1.0):
        extra["Noise multiplier"] = request.initial_noise_multiplier
    return extra


def has_mask_effect(request: Generation, mask: Image.Image | None) -> bool:
    """Return whether a mask has an effect; if only its area is changed, Web UI ignores a black one."""
    if mask is None or not isinstance(request, StableDiffusionProcessingImg2Img):
        return False
    return not request.inpaint_full_res or mask.convert("L").getbbox() is not None


def hires_params(components: Components, request: StableDiffusionProcessingTxt2Img) -> dict[str, Any]:
    """Return the values of the second pass; its prompts are only in the infotexts of the images."""
    is_forge = components.settings.is_forge
    extra: dict[str, Any] = {"Denoising strength": request.denoising_strength}
    checkpoint = None
    if request.hr_checkpoint_name not in SAME_CHECKPOINT:
        checkpoint = components.checkpoints.find(request.hr_checkpoint_name)
    if checkpoint is not None:
        extra["Hires checkpoint"] = _title(components, checkpoint)
    if is_forge:
        for number, name in enumerate(request.hr_additional_modules or ["Built-in"], 1):
            extra[f"Hires Module {number}"] = str(name).removesuffix(".safetensors")
    if request.hr_sampler_name not in (None, "", request.sampler_name):
        extra["Hires sampler"] = request.hr_sampler_name
    extra |= {"Hires prompt": None, "Hires negative prompt": None}
    if is_forge:
        extra |= {"Hires CFG Scale": request.hr_cfg, "Hires Distilled CFG Scale": None}
    extra["Hires schedule type"] = None
    if request.hr_resize_x or request.hr_resize_y:
        extra["Hires resize"] = f"{request.hr_resize_x}x{request.hr_resize_y}"
    else:
        extra["Hires upscale"] = request.hr_scale
    if request.hr_second_pass_steps:
        extra["Hires steps"] = request.hr_second_pass_steps
    if request.hr_upscaler is not None:
        extra["Hires upscaler"] = request.hr_upscaler
    return extra


def hires_prompts(request: Generation) -> dict[str, str]:
    """Return the prompts of the second pass that differ from those of the first."""
    if not isinstance(request, StableDiffusionProcessingTxt2Img) or not request.enable_hr:
        return {}
    first = {"Hires prompt": request.prompt, "Hires negative prompt": request.negative_prompt}
    second = {"Hires prompt": request.hr_prompt, "Hires negative prompt": request.hr_negative_prompt}
    return {name: text for name, text in second.items() if text and text != first[name]}


def refiner_params(components: Components, request: Generation) -> dict[str, Any]:
    """Return the refiner's checkpoint and when it takes over."""
    refiner = find_refiner(components, request)
    if refiner is None:
        return {}
    return {"Refiner": _title(components, refiner), "Refiner switch at": request.refiner_switch_at}


def find_refiner(components: Components, request: Generation) -> Checkpoint | None:
    """Return the checkpoint that takes over during the sampling, if one does."""
    if request.refiner_checkpoint in NO_REFINER or request.refiner_switch_at in (None, 1.0):
        return None
    return components.checkpoints.find(request.refiner_checkpoint)


def picture_size(
    request: Generation, mask: Image.Image | None, references: list[Image.Image]
) -> tuple[int, int]:
    """Return the size of the pictures, which is the reference's if only its masked area is changed."""
    width, height = int(request.width or 0) // 8 * 8, int(request.height or 0) // 8 * 8
    if isinstance(request, StableDiffusionProcessingImg2Img):
        area_only = request.inpaint_full_res and has_mask_effect(request, mask)
        return references[0].size if area_only else (width, height)
    if not request.enable_hr:
        return width, height
    hires_width, hires_height = int(request.hr_resize_x or 0), int(request.hr_resize_y or 0)
    if hires_width or hires_height:  # with one side given, the aspect ratio is kept
        return hires_width or hires_height * width // height, hires_height or hires_width * height // width
    scale = request.hr_scale or 1.0
    return int(width * scale), int(height * scale)


def _title(components: Components, checkpoint: Checkpoint) -> str:
    components.checkpoints.register_hash(checkpoint)
    return f"{checkpoint.stem} [{checkpoint.short_hash}]"
