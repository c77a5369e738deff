"""Nodes that load models."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from local.fakes.comfyui.errors import NodeFailed
from local.fakes.comfyui.execution_context import Context, Result
from local.fakes.comfyui.values import Clip, Model, NamedModel, Vae
from local.fakes.model_file import is_complete

SAFETENSORS_ERROR: Final = "safetensors._safetensors_rust.SafetensorError"
DIGEST_BYTES: Final = 1024 * 1024  # enough to tell two files apart, and quick with real models

NO_MODEL: Final = b"not a model"
NO_CLIP: Final = b"without text encoder"
"""Texts in test files that make a checkpoint count as one without these parts, because it has no tensors."""


def _load(context: Context, kind: str, name: str) -> str:
    """Return the digest of a model's file; raise the recorded exception if it is corrupt."""
    path = context.folders.model(kind, name)
    if path.suffix == ".safetensors" and not is_complete(path):
        head = path.read_bytes()[:8]
        is_incomplete = len(head) == 8 and int.from_bytes(head, "little") <= path.stat().st_size
        defect = "incomplete metadata, file not fully covered" if is_incomplete else "header too large"
        raise NodeFailed(SAFETENSORS_ERROR, f"Error while deserializing header: {defect}")
    context.pause(context.settings.load_seconds)
    context.loaded(f"{kind}/{name}")
    return _digest(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read(DIGEST_BYTES) + str(path.stat().st_size).encode()).hexdigest()[:16]


def checkpoint(context: Context, ckpt_name: str, **_: Any) -> Result:
    """Load a checkpoint; with the fault `wrong-model`, another one."""
    digest = _load(context, "checkpoints", ckpt_name)
    path = context.folders.model("checkpoints", ckpt_name)
    with path.open("rb") as file:
        start = file.read(DIGEST_BYTES)
    if NO_MODEL in start:
        raise NodeFailed("RuntimeError", f"ERROR: Could not detect model type of: {path}\n")
    name = "a model that nobody asked for" if "wrong-model" in context.injected else ckpt_name
    return Result((Model(name, digest), None if NO_CLIP in start else Clip(name), Vae(name)))


def unet(context: Context, unet_name: str, **_: Any) -> Result:
    """Load a diffusion model without text encoder and VAE."""
    return Result((Model(unet_name, _load(context, "diffusion_models", unet_name)),))


def clip(context: Context, **inputs: Any) -> Result:
    """Load one or more text encoders."""
    names = [inputs[name] for name in sorted(inputs) if name.startswith("clip_name")]
    for name in names:
        _load(context, "text_encoders", name)
    return Result((Clip("+".join(names)),))


def vae(context: Context, vae_name: str) -> Result:
    """Load a VAE."""
    if vae_name != "pixel_space":  # which decodes latents that are pixels already
        _load(context, "vae", vae_name)
    return Result((Vae(vae_name),))


def lora(
    context: Context,
    *,
    model: Model,
    lora_name: str,
    strength_model: float,
    clip: Clip | None = None,
    strength_clip: float = 0.0,
) -> Result:
    """Apply a LoRA to a model, and to a text encoder if there is one."""
    digest = _load(context, "loras", lora_name)
    patched = replace(model, patches=(*model.patches, f"{lora_name}:{strength_model:g}:{digest}"))
    if clip is None:
        return Result((patched,))
    return Result((patched, replace(clip, patches=(*clip.patches, f"{lora_name}:{strength_clip:g}"))))


def controlnet(context: Context, control_net_name: str) -> Result:
    """Load a ControlNet."""
    _load(context, "controlnet", control_net_name)
    return Result((NamedModel(control_net_name),))


def upscale_model(context: Context, model_name: str) -> Result:
    """Load an upscaler."""
    _load(context, "upscale_models", model_name)
    return Result((NamedModel(model_name),))


NODES: Final[dict[str, Callable[..., Result]]] = {
    "CheckpointLoaderSimple": checkpoint,
    "UNETLoader": unet,
    "CLIPLoader": clip,
    "DualCLIPLoader": clip,
    "VAELoader": vae,
    "LoraLoader": lora,
    "LoraLoaderModelOnly": lora,
    "ControlNetLoader": controlnet,
    "UpscaleModelLoader": upscale_model,
}
