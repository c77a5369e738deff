"""Find all models that a task's content names, and replace their names."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from domain.body import pointer
from domain.errors import Fault
from runtimes.sdwebui.mention import (
    NO_CHECKPOINT,
    NO_MODULE,
    NO_UPSCALER,
    NO_VAE,
    SCRIPTS,
    Mention,
    as_object,
    is_on,
    mentions_at,
)
from runtimes.sdwebui.model_names import Kind
from runtimes.sdwebui.prompt_networks import network_tags
from runtimes.sdwebui.script_models import script_checkpoints, script_models

MAX_MODELS: Final = 100
"""Maximum number of models in a task; each is looked up in the bucket, on the volume and in SD Web UI's
lists."""

NETWORKS: Final = {"lora": Kind.LORA, "lyco": Kind.LORA, "hypernet": Kind.HYPERNETWORK}
"""Tags of a prompt that name a model, in any case."""

_SENT_AS: Final = {"lora": "lora", "lyco": "lora", "hypernet": "hypernet"}
"""Forge does not know `lyco`, and no Web UI knows `LORA`: such tags are cut out without any effect."""

MAIN_CHECKPOINT: Final = "/alwayson_scripts/sd_model_checkpoint"

_MAX_TEMPLATE: Final = 1024
"""Maximum length of a template whose choices are expanded: no key in S3 is longer, and each choice repeats
the whole text around it."""

_TEMPLATE: Final = re.compile(r"[{}|]|__.+__")
"""Marks of prompt-template extensions: such a name is known only after SD Web UI has expanded it."""

_NUMBER: Final = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*")

_CHOICE: Final = re.compile(r"([^{}]*)\{([^{}|$:]+(?:\|[^{}|$:]+)*)\}([^{}]*)")
"""A template with one choice among plain words, such as `{style-a|style-b}`."""


def model_mentions(content: Mapping[str, Any]) -> Iterator[Mention]:
    """Yield every place of a task's content that names a model, checkpoints first."""
    scripts = as_object(content.get(SCRIPTS))
    yield from checkpoint_mentions(content)
    yield from _setting_mentions(content, scripts)
    yield from _network_mentions(content, scripts)
    yield from _upscaler_mentions(content)
    yield from script_models(content)


def checkpoint_mentions(content: Mapping[str, Any]) -> Iterator[Mention]:
    """Yield the checkpoints that a task's content names, the initial one first."""
    scripts = as_object(content.get(SCRIPTS))
    places: list[tuple[str, Any, Any]] = [
        (MAIN_CHECKPOINT, scripts, "sd_model_checkpoint"),
        ("/refiner_checkpoint", content, "refiner_checkpoint"),
    ]
    if is_on(content.get("enable_hr")):
        places.append(("/hr_checkpoint_name", content, "hr_checkpoint_name"))
    for path, holder, key in places:
        yield from mentions_at(Kind.CHECKPOINT, path, holder, key, NO_CHECKPOINT)
    yield from script_checkpoints(content)


def face_restorers(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the path of each field that enables a face restorer, and its folder ("" if not given)."""
    if is_on(content.get("restore_faces")):
        restorer = as_object(content.get("override_settings")).get("face_restoration_model")
        folders = {"gfpgan": "GFPGAN", "codeformer": "Codeformer"}
        yield "/restore_faces", folders.get(str(restorer).lower(), "")
    for field, folder in (("gfpgan_visibility", "GFPGAN"), ("codeformer_visibility", "Codeformer")):
        if content.get(field):
            yield f"/{field}", folder


def joined_prompts(content: Mapping[str, Any]) -> str:
    """Return all prompts of a task as one text, in which embeddings are plain words."""
    names = ("prompt", "negative_prompt", "hr_prompt", "hr_negative_prompt")
    return "\n".join(text for name in names if isinstance(text := content.get(name), str))


def invalid_weights(content: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a fault for each tag whose weight is not a number: SD Web UI would apply no LoRA at all."""
    checked: set[tuple[int, Any]] = set()
    for mention in model_mentions(content):
        if not mention.in_tag or (id(mention.holder), mention.key) in checked:
            continue
        checked.add((id(mention.holder), mention.key))
        for tag in network_tags(mention.holder[mention.key]):
            weight = tag.weights[0] if tag.weights and tag.kind.lower() in NETWORKS else "1"
            if not _TEMPLATE.search(weight) and not _NUMBER.fullmatch(weight):
                text = f"the weight of {tag.name[:100]!r} is {weight[:20]!r}, which is not a number"
                yield Fault(mention.path, text)


def rename_models(content: dict[str, Any], names: Mapping[tuple[Kind, str], Any]) -> dict[str, Any]:
    """Return a copy of a task's content in which each model has the name that SD Web UI knows.

    `names` maps kinds and the names in the content to new names; other names stay unchanged.
    """
    copy: dict[str, Any] = copy_containers(content)
    for mention in list(model_mentions(copy)):
        if mention.in_tag:
            mention.holder[mention.key] = _rename_tags(mention.holder[mention.key], names)
        elif (mention.kind, mention.name) in names:
            mention.holder[mention.key] = names[mention.kind, mention.name]
    return copy


def copy_containers(value: Any) -> Any:
    """Copy objects and arrays but share texts, which can be images."""
    if isinstance(value, dict):
        return {key: copy_containers(item) for key, item in value.items()}
    return [copy_containers(item) for item in value] if isinstance(value, list) else value


def _rename_tags(text: str, names: Mapping[tuple[Kind, str], Any]) -> str:
    parts: list[str] = []
    at = 0
    for tag in network_tags(text):
        kind = NETWORKS.get(tag.kind.lower())
        if kind is not None:
            behind_kind = text[tag.opens + len(tag.kind) : tag.start]
            name = str(names.get((kind, tag.name), tag.name))
            parts += [text[at : tag.opens], _SENT_AS[tag.kind.lower()], behind_kind, name]
            at = tag.end
    return "".join([*parts, text[at:]])


def _setting_mentions(content: Mapping[str, Any], scripts: dict[str, Any]) -> Iterator[Mention]:
    for path, settings in (
        ("/override_settings", as_object(content.get("override_settings"))),
        (f"/{SCRIPTS}/override_settings", as_object(scripts.get("override_settings"))),
    ):
        yield from mentions_at(Kind.VAE, f"{path}/sd_vae", settings, "sd_vae", NO_VAE)
        yield from _module_mentions(settings, "forge_additional_modules", path)
        key = "upscaler_for_img2img"
        yield from mentions_at(Kind.UPSCALER, f"{path}/{key}", settings, key, NO_UPSCALER)
    yield from mentions_at(Kind.VAE, f"/{SCRIPTS}/sd_vae", scripts, "sd_vae", NO_VAE)
    if is_on(content.get("enable_hr")):
        yield from _module_mentions(content, "hr_additional_modules", "")


def _module_mentions(holder: Any, key: str, path: str) -> Iterator[Mention]:
    value = holder.get(key)
    if isinstance(value, str):
        yield from mentions_at(Kind.MODULE, f"{path}/{key}", holder, key, NO_MODULE)
    for index in range(len(value)) if isinstance(value, list) else ():
        yield from mentions_at(Kind.MODULE, f"{path}/{key}/{index}", value, index, NO_MODULE)


def _network_mentions(content: Mapping[str, Any], scripts: dict[str, Any]) -> Iterator[Mention]:
    if is_on(content.get("disable_extra_networks")):
        return
    fields = ["prompt"] + (["hr_prompt"] if is_on(content.get("enable_hr")) else [])
    for field in fields:
        yield from _tag_mentions(content, field, f"/{field}")
    yield from _text_mentions(content, "script_args", "/script_args")
    yield from _text_mentions(content, SCRIPTS, f"/{SCRIPTS}") if scripts else ()


def _text_mentions(holder: Any, key: Any, path: str) -> Iterator[Mention]:
    """Yield the tags of every text that may be a prompt, except negative ones, which apply no network."""
    value = holder.get(key) if isinstance(holder, dict) else holder[key]
    if isinstance(value, str):
        yield from _tag_mentions(holder, key, path)
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from _text_mentions(value, index, f"{path}/{index}")
    elif isinstance(value, dict):
        for name in value:
            if "negative" not in name.lower():
                yield from _text_mentions(value, name, f"{path}/{pointer(name)}")


def _tag_mentions(holder: Any, key: Any, path: str) -> Iterator[Mention]:
    text = holder.get(key) if isinstance(holder, Mapping) else holder[key]
    if not isinstance(text, str) or "<" not in text:
        return
    for tag in network_tags(text):
        kind = NETWORKS.get(tag.kind.lower())
        if kind is None:
            continue
        if not _TEMPLATE.search(tag.name):
            yield Mention(kind, tag.name, path, holder, key, in_tag=True)
            continue
        for name in _template_choices(tag.name):
            yield Mention(kind, name, path, holder, key, in_tag=True, required=False)


def _template_choices(template: str) -> list[str]:
    """Return the names that a template with one simple choice can become, otherwise the template itself."""
    choice = _CHOICE.fullmatch(template) if len(template) <= _MAX_TEMPLATE else None
    return [f"{choice[1]}{option}{choice[3]}" for option in choice[2].split("|")] if choice else [template]


def _upscaler_mentions(content: Mapping[str, Any]) -> Iterator[Mention]:
    fields = ["upscaler_1", "upscaler_2"] + (["hr_upscaler"] if is_on(content.get("enable_hr")) else [])
    for field in fields:
        yield from mentions_at(Kind.UPSCALER, f"/{field}", content, field, NO_UPSCALER)
