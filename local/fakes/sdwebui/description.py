"""Compute the values of `info`, the part of a response that describes a generation."""

import random
from typing import Any

from PIL import Image

from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.models import Checkpoint
from local.fakes.sdwebui.parameters import hires_params, hires_prompts, image_params, refiner_params
from local.fakes.sdwebui.recorded_responses import recorded_response
from local.fakes.sdwebui.requests import (
    Generation,
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)
from local.fakes.sdwebui.scripts import ScriptPlan
from local.fakes.sdwebui.wildcards import fill_in

DEFAULT_SAMPLER, DEFAULT_SCHEDULE = "DPM++ 2M", "Karras"
MAX_SEED = 2**32


def info_values_of(
    components: Components, request: Generation, plan: ScriptPlan, model: Checkpoint, mask: Image.Image | None
) -> dict[str, Any]:
    """Return the values of `info` in the recorded order; a random seed is chosen here, and only here."""
    seed = _choose_seed(request.seed)
    subseed = _choose_seed(request.subseed)
    requested_count = int(request.batch_size or 0) * int(request.n_iter or 0)
    prompt, negative = apply_styles(request, is_forge=components.settings.is_forge)
    prompts = plan.prompts or [prompt] * requested_count
    if plan.fills_in_templates and not plan.prompts:
        folder = components.options["wildcard_dir"]
        prompts = [fill_in(text, folder, seed + index) for index, text in enumerate(prompts)]
    count = len(prompts)
    seed_step = 0 if plan.prompts else 1  # all pictures of a prompt matrix have the same seed
    modules = components.modules.infotext_values(components.options)
    sampler, schedule, extra = choose_sampler(request)
    return {
        "prompt": prompts[0],
        "all_prompts": prompts,
        "negative_prompt": negative,
        "all_negative_prompts": [negative] * count,
        "seed": seed,
        "all_seeds": [seed + index * seed_step for index in range(count)],
        "subseed": subseed,
        "all_subseeds": [subseed + index for index in range(count)],
        "subseed_strength": request.subseed_strength,
        "width": request.width,
        "height": request.height,
        "sampler_name": sampler,
        "cfg_scale": request.cfg_scale,
        "steps": request.steps,
        "batch_size": request.batch_size,
        "restore_faces": bool(request.restore_faces),
        "face_restoration_model": components.options["face_restoration_model"]
        if request.restore_faces
        else None,
        "sd_model_name": model.stem,
        "sd_model_hash": model.short_hash,
        "sd_vae_name": modules.get("VAE"),
        "sd_vae_hash": modules.get("VAE hash"),
        "seed_resize_from_w": request.seed_resize_from_w,
        "seed_resize_from_h": request.seed_resize_from_h,
        "denoising_strength": request.denoising_strength,
        "extra_generation_params": extra | _extra_params(components, request, plan, mask, prompts[0]),
        "index_of_first_image": 0,
        "infotexts": [],
        "styles": request.styles or [],
        "job_timestamp": components.state.job_timestamp,
        "clip_skip": int(components.options["CLIP_stop_at_last_layers"] or 1),
        "is_using_inpainting_conditioning": False,
        "scheduler_label": schedule,
        "modules": modules,
        "tiling": bool(request.tiling),
        "hires_prompts": hires_prompts(request),
    }


def choose_sampler(request: Generation) -> tuple[str, str, dict[str, Any]]:
    """Return sampler, schedule and additional values of `info`; the default replaces an unknown sampler."""
    name = request.sampler_name or request.sampler_index
    if name not in {sampler["name"] for sampler in recorded_response("samplers")}:
        return DEFAULT_SAMPLER, DEFAULT_SCHEDULE, {"Schedule type": DEFAULT_SCHEDULE}
    labels = {
        scheduler[key]: scheduler["label"]
        for scheduler in recorded_response("schedulers")
        for key in ("name", "label")
    }
    label = labels.get(request.scheduler or "", "Automatic")
    if label != "Automatic":
        return name, label, {"Schedule type": label}
    return name, "Automatic", {}


def apply_styles(request: Generation, *, is_forge: bool) -> tuple[str, str]:
    """Return prompt and negative prompt with those styles applied that exist under exactly their names."""
    prompt, negative = request.prompt or "", request.negative_prompt or ""
    if is_forge:
        prompt = prompt.strip()
    styles = {style["name"]: style for style in recorded_response("prompt-styles")}
    for style in (styles[name] for name in request.styles or [] if name in styles):
        prompt = _apply_style(prompt, style["prompt"] or "")
        negative = _apply_style(negative, style["negative_prompt"] or "")
    return prompt, negative


def _apply_style(text: str, style: str) -> str:
    if "{prompt}" in style:
        return style.replace("{prompt}", text)
    return ", ".join(part for part in (text, style.strip()) if part)


def _choose_seed(requested: int | None) -> int:
    return random.randrange(MAX_SEED) if requested in (None, -1) else int(requested or 0)


def _extra_params(
    components: Components, request: Generation, plan: ScriptPlan, mask: Image.Image | None, prompt: str
) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if isinstance(request, StableDiffusionProcessingImg2Img):
        extra |= image_params(request, mask)
    if isinstance(request, StableDiffusionProcessingTxt2Img) and request.enable_hr:
        extra |= hires_params(components, request)
    extra |= refiner_params(components, request)
    extra |= plan.extra_params
    if not request.disable_extra_networks and (hashes := components.networks.hashes(prompt)):
        extra["Lora hashes"] = hashes
    return extra | components.embeddings.infotext_values(f"{prompt} {request.negative_prompt or ''}")
