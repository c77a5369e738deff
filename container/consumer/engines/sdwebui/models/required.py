"""What a task needs: every model that its content names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from domain.body import pointer
from domain.errors import ErrorCode, PermanentError
from runtimes.sdwebui.model_names import Kind
from runtimes.sdwebui.prompt_networks import network_tags

MAX_MODELS: Final = 100
"""Models that one task may name; each is looked up in the bucket, on the volume and in SD Web UI's lists."""

_NETWORKS: Final = {"lora": Kind.LORA, "lyco": Kind.LORA, "hypernet": Kind.HYPERNETWORK}

_TEMPLATE: Final = re.compile(r"[{}|]|__.+__")
"""Marks of prompt-template extensions: such a name is only known when Web UI has filled it in."""

_PROMPTS: Final = ("prompt", "negative_prompt", "hr_prompt", "hr_negative_prompt")

_NO_CHECKPOINT: Final = frozenset({"", "None", "Use same checkpoint"})
_NO_VAE: Final = frozenset({"", "None", "Automatic", "auto"})
_NO_MODULE: Final = frozenset({"", "None", "Use same choices", "Built in"})
_NO_UPSCALER: Final = frozenset({"", "None"})


@dataclass(frozen=True, slots=True)
class ModelRequirement:
    """Name one model of a task; `path` is a JSON pointer into the content."""

    kind: Kind
    name: str
    path: str
    required: bool = True
    """Whether the task fails without it; else it is fetched where it exists."""


def needs(content: dict[str, Any]) -> list[ModelRequirement]:
    """Return what a task's content names, each model once, the checkpoint first.

    Raise PermanentError for more than `MAX_MODELS`.
    """
    scripts = _object(content.get("alwayson_scripts"))
    found: dict[tuple[Kind, str], ModelRequirement] = {}
    for need in (
        *_checkpoints(content, scripts),
        *_settings(content, scripts),
        *_networks(content, scripts),
        *_controlnet(scripts),
        *_upscalers(content),
        *_faces(content),
    ):
        if len(found) >= MAX_MODELS and (need.kind, need.name) not in found:
            text = f"{need.path}: a task may name at most {MAX_MODELS} models."
            raise PermanentError(ErrorCode.INVALID_CONTENT, text)
        key = need.kind, need.name
        if key not in found or (need.required and not found[key].required):
            found[key] = need
    return list(found.values())


def prompts(content: dict[str, Any]) -> str:
    """Return all prompts of a task as one text; embeddings are words in it."""
    return "\n".join(text for name in _PROMPTS if isinstance(text := content.get(name), str))


def _checkpoints(content: dict[str, Any], scripts: dict[str, Any]) -> Iterator[ModelRequirement]:
    named = [("/alwayson_scripts/sd_model_checkpoint", scripts.get("sd_model_checkpoint"))]
    named.append(("/refiner_checkpoint", content.get("refiner_checkpoint")))
    if content.get("enable_hr"):
        named.append(("/hr_checkpoint_name", content.get("hr_checkpoint_name")))
    for path, name in named:
        if isinstance(name, str) and name not in _NO_CHECKPOINT:
            yield ModelRequirement(Kind.CHECKPOINT, name, path)


def _settings(content: dict[str, Any], scripts: dict[str, Any]) -> Iterator[ModelRequirement]:
    overrides = [
        ("/override_settings", _object(content.get("override_settings"))),
        ("/alwayson_scripts/override_settings", _object(scripts.get("override_settings"))),
        ("/alwayson_scripts", {"sd_vae": scripts.get("sd_vae")}),
    ]
    for path, settings in overrides:
        vae = settings.get("sd_vae")
        if isinstance(vae, str) and vae not in _NO_VAE:
            yield ModelRequirement(Kind.VAE, vae, f"{path}/sd_vae")
        modules = settings.get("forge_additional_modules")
        yield from _modules(modules, f"{path}/forge_additional_modules")
        upscaler = settings.get("upscaler_for_img2img")
        if isinstance(upscaler, str) and upscaler not in _NO_UPSCALER:
            yield ModelRequirement(Kind.UPSCALER, upscaler, f"{path}/upscaler_for_img2img")
    if content.get("enable_hr"):
        yield from _modules(content.get("hr_additional_modules"), "/hr_additional_modules")


def _modules(value: Any, path: str) -> Iterator[ModelRequirement]:
    for index, name in enumerate(value if isinstance(value, list) else ()):
        if isinstance(name, str) and name not in _NO_MODULE:
            yield ModelRequirement(Kind.MODULE, name, f"{path}/{index}")


def _networks(content: dict[str, Any], scripts: dict[str, Any]) -> Iterator[ModelRequirement]:
    # Switched off, they are left out of the task's own prompts; a script paints its own with them.
    named = () if content.get("disable_extra_networks") else _PROMPTS
    texts = [(f"/{name}", content[name]) for name in named if isinstance(content.get(name), str)]
    texts += _texts(content.get("script_args"), "/script_args")
    texts += _texts(scripts, "/alwayson_scripts")
    for path, text in texts:
        for tag in network_tags(text):
            kind = _NETWORKS.get(tag.kind)
            if kind is not None:
                yield ModelRequirement(kind, tag.name, path, required=not _TEMPLATE.search(tag.name))


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield every text that may hold a prompt, with its path; base64 images hold none."""
    if isinstance(value, str):
        if "<" in value:
            yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{path}/{pointer(key)}")


def _controlnet(scripts: dict[str, Any]) -> Iterator[ModelRequirement]:
    for script, entry in scripts.items():
        if script.lower() != "controlnet":
            continue
        units = _object(entry).get("args")
        for index, unit in enumerate(units if isinstance(units, list) else ()):
            name = _object(unit).get("model")
            if isinstance(name, str) and name not in ("", "None") and unit.get("enabled", True):
                yield ModelRequirement(
                    Kind.CONTROLNET, name, f"/alwayson_scripts/{pointer(script)}/args/{index}/model"
                )


def _upscalers(content: dict[str, Any]) -> Iterator[ModelRequirement]:
    fields = ["upscaler_1", "upscaler_2"]
    if content.get("enable_hr"):
        fields.append("hr_upscaler")
    for field in fields:
        name = content.get(field)
        if isinstance(name, str) and name not in _NO_UPSCALER:
            # Web UI answers 500 to an unknown one by itself, before any work (16-hr-unknown-upscaler).
            yield ModelRequirement(Kind.UPSCALER, name, f"/{field}")


def _faces(content: dict[str, Any]) -> Iterator[ModelRequirement]:
    if content.get("restore_faces"):
        yield ModelRequirement(Kind.FACE_RESTORER, "", "/restore_faces", required=False)
    for field in ("gfpgan_visibility", "codeformer_visibility"):
        if content.get(field):
            yield ModelRequirement(Kind.FACE_RESTORER, "", f"/{field}", required=False)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
