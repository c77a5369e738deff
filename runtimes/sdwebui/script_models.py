"""Find models in the arguments of scripts: ControlNet's, ADetailer's, and those of upscaling scripts."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from domain.body import pointer
from runtimes.sdwebui.mention import (
    NO_CHECKPOINT,
    NO_CONTROLNET,
    NO_DETECTOR,
    NO_UPSCALER,
    NO_VAE,
    SCRIPTS,
    Mention,
    as_object,
    is_on,
    mentions_at,
)
from runtimes.sdwebui.model_names import Kind

_UPSCALER_ARGUMENT: Final = {"sd upscale": 2, "ultimate sd upscale": 8}
"""The argument of each script that is its upscaler, by name or by position in SD Web UI's list."""


def controlnet_units(content: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each enabled ControlNet unit of a task's content, with its path."""
    for script, entry in as_object(content.get(SCRIPTS)).items():
        args = as_object(entry).get("args") if script.lower() == "controlnet" else None
        for index, unit in enumerate(args if isinstance(args, list) else ()):
            if isinstance(unit, dict) and is_on(unit.get("enabled", True)):
                yield f"/{SCRIPTS}/{pointer(script)}/args/{index}", unit


def script_checkpoints(content: Mapping[str, Any]) -> Iterator[Mention]:
    """Yield the checkpoints that scripts load during a task."""
    for path, unit in _detailer_units(as_object(content.get(SCRIPTS))):
        if is_on(unit.get("ad_use_checkpoint")):
            yield from mentions_at(
                Kind.CHECKPOINT, f"{path}/ad_checkpoint", unit, "ad_checkpoint", NO_CHECKPOINT
            )
    if str(content.get("script_name") or "").lower() == "x/y/z plot":
        yield from _plot_checkpoints(content.get("script_args"))


def script_models(content: Mapping[str, Any]) -> Iterator[Mention]:
    """Yield the other models that scripts use."""
    for path, unit in controlnet_units(content):
        yield from mentions_at(Kind.CONTROLNET, f"{path}/model", unit, "model", NO_CONTROLNET)
    yield from _detailer_mentions(as_object(content.get(SCRIPTS)))
    yield from _upscaler_mentions(content)


def _plot_checkpoints(args: Any) -> Iterator[Mention]:
    """Yield the checkpoints among the values of a plot, recognized by their extension."""
    for index, text in enumerate(args if isinstance(args, list) else ()):
        for value in text.split(",") if isinstance(text, str) else ():
            name = value.strip()
            if name.endswith((".safetensors", ".ckpt")):
                yield Mention(Kind.CHECKPOINT, name, f"/script_args/{index}", [name], 0)


def _detailer_units(scripts: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each enabled ADetailer unit, with its path."""
    for script, entry in scripts.items():
        args = as_object(entry).get("args") if script.lower() == "adetailer" else None
        if not isinstance(args, list) or (args and args[0] is False):
            continue
        for index, unit in enumerate(args):
            if not isinstance(unit, dict) or unit.get("ad_tab_enable") is False:
                continue
            if unit.get("ad_model", "None") not in NO_DETECTOR:
                yield f"/{SCRIPTS}/{pointer(script)}/args/{index}", unit


def _detailer_mentions(scripts: dict[str, Any]) -> Iterator[Mention]:
    for path, unit in _detailer_units(scripts):
        yield from mentions_at(Kind.DETECTOR, f"{path}/ad_model", unit, "ad_model", NO_DETECTOR)
        key = "ad_controlnet_model"
        yield from mentions_at(Kind.CONTROLNET, f"{path}/{key}", unit, key, NO_CONTROLNET)
        if is_on(unit.get("ad_use_vae")):
            yield from mentions_at(Kind.VAE, f"{path}/ad_vae", unit, "ad_vae", NO_VAE)


def _upscaler_mentions(content: Mapping[str, Any]) -> Iterator[Mention]:
    place = _UPSCALER_ARGUMENT.get(str(content.get("script_name") or "").lower())
    args = content.get("script_args")
    if place is None or not isinstance(args, list) or len(args) <= place:
        return
    path = f"/script_args/{place}"
    if isinstance(args[place], int) and not isinstance(args[place], bool):
        yield Mention(Kind.UPSCALER, str(args[place]), path, args, place, by_index=True)
    else:
        yield from mentions_at(Kind.UPSCALER, path, args, place, NO_UPSCALER)
