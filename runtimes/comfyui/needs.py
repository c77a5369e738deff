"""The models that a workflow needs, and whether the model bucket has them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Any, Final

from domain.body import pointer
from domain.errors import Fault
from runtimes.base import Lookup, ModelRequirement
from runtimes.comfyui.catalogue import Catalogue
from runtimes.comfyui.node_values import strings
from runtimes.comfyui.policy import embeddings
from runtimes.comfyui.workflow import is_link, reachable, wanted_nodes
from runtimes.findings import MAX_HINTS, unlisted_fault

CHECKPOINTS: Final = "checkpoints"
DIFFUSION_MODELS: Final = "diffusion_models"
TEXT_ENCODERS: Final = "text_encoders"
EMBEDDINGS: Final = "embeddings"

START_FOLDERS: Final = (EMBEDDINGS,)
"""Folders of small files that texts name without their endings; downloaded before ComfyUI starts."""

MODEL_FOLDERS: Final = (
    CHECKPOINTS,
    DIFFUSION_MODELS,
    "unet",
    TEXT_ENCODERS,
    "clip",
    "clip_vision",
    "loras",
    "vae",
    "vae_approx",
    "controlnet",
    "t2i_adapter",
    "upscale_models",
    "latent_upscale_models",
    "style_models",
    EMBEDDINGS,
    "hypernetworks",
    "gligen",
    "photomaker",
    "model_patches",
    "audio_encoders",
    "diffusers",
)

ALIASES: Final = {
    CHECKPOINTS: ("Stable-diffusion",),
    DIFFUSION_MODELS: ("unet",),
    TEXT_ENCODERS: ("clip", "text_encoder"),
    "loras": ("Lora", "LyCORIS"),
    "vae": ("VAE",),
    "controlnet": ("t2i_adapter", "ControlNet"),
    "upscale_models": ("ESRGAN", "RealESRGAN", "SwinIR"),
}
"""Further folders of the bucket for a folder's models: ComfyUI's older names and the other engine's."""

FOLDER_KINDS: Final = {
    **{folder: folder for folder in MODEL_FOLDERS},
    **{other: folder for folder, others in ALIASES.items() for other in others},
}
"""The folder in which ComfyUI has the models of a folder of the bucket."""

KINDS: Final = {
    kind: tuple(dict.fromkeys((kind, *ALIASES.get(kind, ()))))
    for kind in dict.fromkeys(FOLDER_KINDS[folder] for folder in MODEL_FOLDERS)
}
"""The folders of the bucket that hold the models of each of ComfyUI's folders."""

WARNED_FOLDERS: Final = tuple(kind for kind in KINDS if kind not in (CHECKPOINTS, DIFFUSION_MODELS))

NODE_CLASSES: Final = "node_classes"

MODEL_ENDINGS: Final = frozenset(
    {".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft", ".gguf"}
)
"""Endings of the files that ComfyUI, or its node pack for quantized models, lists as models."""

EMBEDDING_ENDINGS: Final = ("", ".safetensors", ".pt", ".bin")
"""In this order ComfyUI tries the endings of an embedding that a text names."""

_SHOWN: Final = 100
_COMPARED: Final = 2000
_LIKENESS: Final = 0.6


def required_models(content: dict[str, Any], catalogue: Catalogue) -> Iterator[ModelRequirement]:
    """Yield the models of the nodes that run, checkpoints and diffusion models first, each once."""
    found: dict[tuple[str, str], ModelRequirement] = {}
    prompt = content["prompt"]
    custom = any(catalogue.get(one["class_type"]) is None for one in prompt.values())
    # A class that the catalogue does not have may be an output node: then all nodes may run.
    running = set(prompt) if custom else reachable(prompt, wanted_nodes(content, catalogue))
    for node, one in prompt.items():
        node_class = catalogue.get(one["class_type"])
        for name, value in one["inputs"].items() if node in running else ():
            path = f"/prompt/{pointer(node)}/inputs/{pointer(name)}"
            kind = node_class.input(name) if node_class else None
            if kind is not None and kind.folder is not None and isinstance(value, str):
                found.setdefault((kind.folder, value), ModelRequirement(kind.folder, value, path))
            elif not is_link(value):
                for text in strings(value):
                    for embedding in embeddings(text):
                        need = ModelRequirement(EMBEDDINGS, embedding, path)
                        found.setdefault((EMBEDDINGS, embedding), need)
    first = (CHECKPOINTS, DIFFUSION_MODELS)
    yield from sorted(found.values(), key=lambda need: need.folder not in first)


def model_inputs(prompt: Mapping[str, Any], catalogue: Catalogue) -> frozenset[tuple[str, str]]:
    """Return the inputs that name models, as the id of the node and the name of the input."""
    classes = {node: catalogue.get(one["class_type"]) for node, one in prompt.items()}
    return frozenset(
        (node, name)
        for node, node_class in classes.items()
        for name in prompt[node]["inputs"]
        if node_class and (kind := node_class.input(name)) and kind.folder is not None
    )


def unlisted_classes(content: dict[str, Any], listed: Sequence[str]) -> Iterator[Fault]:
    """Yield a warning for each node whose class is not listed."""
    known, hints = frozenset(listed), 0
    for node, one in content["prompt"].items():
        name = one["class_type"]
        if name not in known:
            compared = listed[:_COMPARED] if hints < MAX_HINTS else ()
            near = get_close_matches(name[:_SHOWN], compared, 1, _LIKENESS)
            path = f"/prompt/{pointer(node)}/class_type"
            yield unlisted_fault(path, "node class", name, near[0] if near else None)
            hints += 1


def affinity(content: dict[str, Any], catalogue: Catalogue) -> str | None:
    """Return the checkpoints and diffusion models of a workflow, or else its text encoders.

    The content may be unchecked, or empty if the message was too large for it.
    """
    if not _has_a_workflow(content):
        return None
    needs = list(required_models(content, catalogue))
    for folders in ((CHECKPOINTS, DIFFUSION_MODELS), (TEXT_ENCODERS,)):
        names = sorted(f"{need.folder}/{need.name}" for need in needs if need.folder in folders)
        if names:
            return " ".join(names)
    return None


def _has_a_workflow(content: dict[str, Any]) -> bool:
    prompt, outputs = content.get("prompt"), content.get("outputs") or []
    return (
        isinstance(prompt, dict)
        and isinstance(outputs, list)
        and all(isinstance(one, str) for one in outputs)
        and all(
            isinstance(one, dict)
            and isinstance(one.get("class_type"), str)
            and isinstance(one.get("inputs"), dict)
            for one in prompt.values()
        )
    )


def look_up(model: ModelRequirement, files: Collection[str], listed: Collection[str] | None) -> Lookup:
    """Return whether a model is among the files of its folder; None if only a worker can tell."""
    endings = EMBEDDING_ENDINGS if model.folder == EMBEDDINGS else ("",)
    known = {*files, *(listed or ())}
    if any(model.name + ending in known for ending in endings):
        return Lookup(exists=True)
    if listed is None:  # the image may have models of its own
        return Lookup(exists=None)
    if model.folder in WARNED_FOLDERS and PurePosixPath(model.name).suffix not in MODEL_ENDINGS:
        return Lookup(exists=None)  # loaders offer names without a file too, such as pixel_space
    near = get_close_matches(model.name[:_SHOWN], sorted(known)[:_COMPARED], 1, _LIKENESS)
    hint = f"; the nearest is {near[0]!r}" if near else ""
    reason = f"there is no {model.name[:_SHOWN]!r} in {model.folder}{hint}; names are case-sensitive"
    return Lookup(exists=False, reason=reason)
