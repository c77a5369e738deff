"""Nodes that encode texts, sample latents and decode them."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from PIL import Image

from local.fakes.comfyui.errors import NodeFailed
from local.fakes.comfyui.execution_context import Context, Result
from local.fakes.comfyui.values import (
    Clip,
    Conditioning,
    Control,
    Facts,
    Latent,
    Model,
    NamedModel,
    Picture,
    Pictures,
    Sampled,
    Vae,
)
from local.fakes.drawing import Scene, draw_picture

LATENT_PIXELS: Final = 8
NO_CLIP: Final = (
    "ERROR: clip input is invalid: None\n\nIf the clip is from a checkpoint loader node your checkpoint does "
    "not contain a valid clip or text encoder model."
)


def describe(picture: Picture) -> Facts:
    """Return the facts of a generated picture, or the digest of one that was uploaded."""
    return picture.facts or {"pixels_sha256": digest(picture.image), "size": list(picture.image.size)}


def digest(image: Image.Image) -> str:
    """Return the beginning of the SHA-256 of an image's pixels."""
    return hashlib.sha256(image.tobytes()).hexdigest()[:16]


def encode_text(context: Context, clip: Clip | None, text: str) -> Result:
    """Encode a text."""
    if clip is None:
        raise NodeFailed("RuntimeError", NO_CLIP)
    return Result((Conditioning(text, clip),))


def set_last_layer(context: Context, clip: Clip, stop_at_clip_layer: int) -> Result:
    """Skip the last layers of a text encoder."""
    return Result((replace(clip, patches=(*clip.patches, f"layer {stop_at_clip_layer}")),))


def combine(context: Context, conditioning_1: Conditioning, conditioning_2: Conditioning) -> Result:
    """Combine two texts."""
    text = f"{conditioning_1.text} + {conditioning_2.text}"
    return Result(
        (replace(conditioning_1, text=text, controls=conditioning_1.controls + conditioning_2.controls),)
    )


def apply_controlnet(
    context: Context, conditioning: Conditioning, control_net: NamedModel, image: Pictures, strength: float
) -> Result:
    """Apply a ControlNet to a text."""
    return Result((_add_control(conditioning, control_net, image, strength),))


def apply_controlnet_advanced(
    context: Context,
    *,
    positive: Conditioning,
    negative: Conditioning,
    control_net: NamedModel,
    image: Pictures,
    strength: float,
    **_: Any,
) -> Result:
    """Apply a ControlNet to both texts."""
    return Result(
        (
            _add_control(positive, control_net, image, strength),
            _add_control(negative, control_net, image, strength),
        )
    )


def _add_control(
    conditioning: Conditioning, net: NamedModel, images: Pictures, strength: float
) -> Conditioning:
    return replace(conditioning, controls=(*conditioning.controls, Control(net.name, strength, images[0])))


def empty_latent(context: Context, width: int, height: int, batch_size: int) -> Result:
    """Make a batch of empty latents."""
    side = LATENT_PIXELS
    return Result((Latent(width // side * side, height // side * side, batch_size),))


def vae_encode(context: Context, pixels: Pictures, vae: Vae) -> Result:
    """Encode pictures."""
    width, height = pixels[0].image.size
    return Result((Latent(width, height, len(pixels), tuple(pixels)),))


def vae_encode_for_inpaint(
    context: Context, pixels: Pictures, vae: Vae, mask: Image.Image, **_: Any
) -> Result:
    """Encode pictures with a mask."""
    width, height = pixels[0].image.size
    return Result((Latent(width, height, len(pixels), tuple(pixels), mask),))


def set_noise_mask(context: Context, samples: Latent, mask: Image.Image) -> Result:
    """Limit later samplers to a mask."""
    return Result((replace(samples, mask=mask),))


def upscale_latent(
    context: Context, *, samples: Latent, upscale_method: str, width: int, height: int, crop: str
) -> Result:
    """Scale latents."""
    return Result((replace(samples, width=width, height=height),))


def repeat_batch(context: Context, samples: Latent, amount: int) -> Result:
    """Repeat a batch of latents."""
    return Result(
        (
            replace(
                samples,
                batch=samples.batch * amount,
                pictures=samples.pictures * amount,
                sampled=samples.sampled * amount,
            ),
        )
    )


def ksampler(
    context: Context,
    *,
    model: Model,
    seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Conditioning,
    negative: Conditioning,
    latent_image: Latent,
    denoise: float = 1.0,
) -> Result:
    """Sample a batch of latents; the pictures are drawn when they are decoded."""
    if not isinstance(positive, Conditioning) or not isinstance(model, Model):
        raise NodeFailed("AttributeError", "'NoneType' object has no attribute 'shape'\n")
    context.sample(steps)
    sampled = []
    for index in range(latent_image.batch):
        start = _start_picture(latent_image, index)
        facts: Facts = {
            "prompt": positive.text,
            "negative": negative.text,
            "seed": seed,
            "steps": steps,
            "cfg": cfg if cfg == cfg else "NaN",  # noqa: PLR0124 -- the real one accepts NaN too
            "sampler": sampler_name,
            "scheduler": scheduler,
            "denoise": denoise,
            "model": model.name,
            "model_digest": model.digest,
            "loras": list(model.patches),
            "clip": positive.clip.name,
            "clip_patches": list(positive.clip.patches),
            "size": [latent_image.width, latent_image.height],
            "batch_index": index,
            "controls": [_control_facts(control) for control in positive.controls],
            "reference": describe(start) if start else None,
            "mask_sha256": digest(latent_image.mask) if latent_image.mask else None,
        }
        scene = Scene(
            width=latent_image.width,
            height=latent_image.height,
            prompt=positive.text,
            negative_prompt=negative.text,
            seed=seed + index,
            steps=steps,
            cfg_scale=cfg,
            sampler=f"{sampler_name} {scheduler}",
            model=model.name,
            extra=f"{facts['controls']} {facts['clip']} {facts['clip_patches']} {model.digest} {denoise}",
            effects=model.patches,
            denoising=denoise,
            reference=start.image if start else None,
            mask=latent_image.mask,
            hints=tuple(control.image.image for control in positive.controls),
        )
        sampled.append(Sampled(scene, facts))
    return Result((replace(latent_image, sampled=tuple(sampled), pictures=(), mask=latent_image.mask),))


def ksampler_advanced(
    context: Context, noise_seed: int, add_noise: str, start_at_step: int, end_at_step: int, **inputs: Any
) -> Result:
    """Sample a part of the steps."""
    inputs.pop("return_with_leftover_noise", None)
    fraction = max(0, min(end_at_step, inputs["steps"]) - start_at_step) / inputs["steps"]
    return ksampler(context, seed=noise_seed, denoise=fraction, **inputs)


def vae_decode(context: Context, samples: Latent, vae: Vae, **_: Any) -> Result:
    """Draw the pictures of sampled latents, or return the pictures of encoded ones."""
    if samples.sampled:
        return Result((tuple(_draw_sampled(sampled, vae) for sampled in samples.sampled),))
    blank = Picture(Image.new("RGB", (samples.width, samples.height), "grey"))
    return Result((samples.pictures or (blank,) * samples.batch,))


def _draw_sampled(sampled: Sampled, vae: Vae) -> Picture:
    scene = replace(sampled.scene, effects=(*sampled.scene.effects, f"VAE {vae.name}"))
    return Picture(draw_picture(scene), {**sampled.facts, "vae": vae.name})


def _start_picture(latent: Latent, index: int) -> Picture | None:
    """Return what a latent shows before it is sampled, or None if it is empty."""
    if latent.sampled:
        previous = latent.sampled[index % len(latent.sampled)]
        return Picture(draw_picture(previous.scene), previous.facts)
    return latent.pictures[index % len(latent.pictures)] if latent.pictures else None


def _control_facts(control: Control) -> Facts:
    return {"name": control.name, "strength": control.strength, "image": describe(control.image)}


NODES: Final[dict[str, Callable[..., Result]]] = {
    "CLIPTextEncode": encode_text,
    "CLIPSetLastLayer": set_last_layer,
    "ConditioningCombine": combine,
    "ControlNetApply": apply_controlnet,
    "ControlNetApplyAdvanced": apply_controlnet_advanced,
    "EmptyLatentImage": empty_latent,
    "EmptySD3LatentImage": empty_latent,
    "VAEEncode": vae_encode,
    "VAEEncodeForInpaint": vae_encode_for_inpaint,
    "SetLatentNoiseMask": set_noise_mask,
    "LatentUpscale": upscale_latent,
    "RepeatLatentBatch": repeat_batch,
    "KSampler": ksampler,
    "KSamplerAdvanced": ksampler_advanced,
    "VAEDecode": vae_decode,
}
