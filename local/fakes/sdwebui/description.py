"""The values of `info` for a generation, in the recorded order."""

import random
from typing import Any

from PIL import Image

from local.fakes.sdwebui.answers import recorded
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.models import Checkpoint
from local.fakes.sdwebui.parameters import hires_prompts, of_hires_fix, of_image, of_refiner
from local.fakes.sdwebui.requests import (
    Generation,
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
)
from local.fakes.sdwebui.scripts import Plan
from local.fakes.sdwebui.wildcards import fill

FALLBACK_SAMPLER, FALLBACK_SCHEDULE = "DPM++ 2M", "Karras"
MAX_SEED = 2**32


def describe(
    components: Components, request: Generation, plan: Plan, model: Checkpoint, mask: Image.Image | None
) -> dict[str, Any]:
    """Return the values of `info`; a random seed is drawn here and is found nowhere else."""
    seed = _seed(request.seed)
    subseed = _seed(request.subseed)
    each = int(request.batch_size or 0) * int(request.n_iter or 0)
    prompt, negative = styled(request, forge=components.settings.forge)
    prompts = plan.prompts or [prompt] * each
    if plan.fills_templates and not plan.prompts:
        folder = components.options["wildcard_dir"]
        prompts = [fill(text, folder, seed + place) for place, text in enumerate(prompts)]
    count = len(prompts)
    step = 0 if plan.prompts else 1
    modules = components.modules.described(components.options)
    sampler, schedule, extra = choose_sampler(request)
    return {
        "prompt": prompts[0],
        "all_prompts": prompts,
        "negative_prompt": negative,
        "all_negative_prompts": [negative] * count,
        "seed": seed,
        "all_seeds": [seed + i * step for i in range(count)],
        "subseed": subseed,
        "all_subseeds": [subseed + i for i in range(count)],
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
    wanted = request.sampler_name or request.sampler_index
    if wanted not in {one["name"] for one in recorded("samplers")}:
        return FALLBACK_SAMPLER, FALLBACK_SCHEDULE, {"Schedule type": FALLBACK_SCHEDULE}
    labels = {one[key]: one["label"] for one in recorded("schedulers") for key in ("name", "label")}
    label = labels.get(request.scheduler or "", "Automatic")
    if label != "Automatic":
        return wanted, label, {"Schedule type": label}
    return wanted, "Automatic", {}


def styled(request: Generation, *, forge: bool) -> tuple[str, str]:
    """Return prompt and negative prompt with the styles applied whose exact names exist."""
    prompt, negative = request.prompt or "", request.negative_prompt or ""
    if forge:
        prompt = prompt.strip()
    known = {style["name"]: style for style in recorded("prompt-styles")}
    for style in (known[name] for name in request.styles or [] if name in known):
        prompt = _with_style(prompt, style["prompt"] or "")
        negative = _with_style(negative, style["negative_prompt"] or "")
    return prompt, negative


def _with_style(text: str, style: str) -> str:
    if "{prompt}" in style:
        return style.replace("{prompt}", text)
    return ", ".join(part for part in (text, style.strip()) if part)


def _seed(asked: int | None) -> int:
    return random.randrange(MAX_SEED) if asked in (None, -1) else int(asked or 0)


def _extra_params(
    components: Components, request: Generation, plan: Plan, mask: Image.Image | None, prompt: str
) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if isinstance(request, StableDiffusionProcessingImg2Img):
        extra |= of_image(request, mask)
    if isinstance(request, StableDiffusionProcessingTxt2Img) and request.enable_hr:
        extra |= of_hires_fix(components, request)
    extra |= of_refiner(components, request)
    extra |= plan.extra_params
    if not request.disable_extra_networks and (hashes := components.networks.hashes(prompt)):
        extra["Lora hashes"] = hashes
    return extra | components.embeddings.described(f"{prompt} {request.negative_prompt or ''}")
