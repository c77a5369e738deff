"""Bring the words for "none" in a content into the form that SD Web UI knows, or remove their fields.

SD Web UI knows each of these words in one spelling only, and takes any other one for a name.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from runtimes.sdwebui.script_sizes import script_units

_NONE: Final = frozenset({"", "none"})

_WORDS_TO_REMOVE: Final[Mapping[str, Collection[str]]] = {
    "script_name": _NONE,
    "sampler_name": _NONE,
    "sampler_index": _NONE,
    "scheduler": _NONE,
    "hr_sampler_name": _NONE | {"use same sampler"},
    "hr_scheduler": _NONE | {"use same scheduler"},
    "refiner_checkpoint": _NONE | {"use same checkpoint"},
    "hr_checkpoint_name": _NONE | {"use same checkpoint"},
}
"""Fields of the content that are removed if they have one of these values, in any case."""

_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "upscaler_1": ("None",),
    "upscaler_2": ("None",),
    "hr_upscaler": ("None",),
}

_SETTING_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "sd_vae": ("None", "Automatic"),
    "upscaler_for_img2img": ("None",),
}

_REMOVED_SETTINGS: Final = {"face_restoration_model": _NONE, "sd_model_checkpoint": _NONE}

_NO_MODULES: Final = _NONE | {"automatic", "built in"}

_ARGUMENT_SPELLINGS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "controlnet": {"model": ("None",), "module": ("None",)},
    "adetailer": {
        "ad_model": ("None",),
        "ad_checkpoint": ("Use same checkpoint", "None"),
        "ad_vae": ("Use same VAE", "None", "Automatic"),
        "ad_sampler": ("Use same sampler",),
        "ad_scheduler": ("Use same scheduler",),
        "ad_controlnet_model": ("None", "Passthrough"),
        "ad_controlnet_module": ("None",),
    },
}
"""Words of the units of scripts, in their spelling."""


def normalize_none_words(content: dict[str, Any]) -> None:
    """Remove or correct every word for "none" in a content, in place."""
    for name, words in _WORDS_TO_REMOVE.items():
        if _is_one_of(content.get(name), words):
            del content[name]
            if name == "script_name":
                content.pop("script_args", None)
    _correct_spelling(content, _SPELLINGS)
    styles = content.get("styles")
    if isinstance(styles, list):
        content["styles"] = [style for style in styles if not _is_one_of(style, _NONE)]
    scripts = content.get("alwayson_scripts")
    if isinstance(scripts, dict):
        scripts = content["alwayson_scripts"] = dict(scripts)
        _correct_spelling(scripts, {"sd_vae": _SETTING_SPELLINGS["sd_vae"]})
        if _is_one_of(scripts.get("sd_model_checkpoint"), {"none"}):
            del scripts["sd_model_checkpoint"]
    for settings in _copied_overrides(content):
        _normalize_settings(settings)


def normalize_none_arguments(content: dict[str, Any]) -> None:
    """Correct the words for "none" in the units of ControlNet and ADetailer, in place."""
    for script, words in _ARGUMENT_SPELLINGS.items():
        for _, unit in script_units(content, script):
            _correct_spelling(unit, words)


def _normalize_settings(settings: dict[str, Any]) -> None:
    _correct_spelling(settings, _SETTING_SPELLINGS)
    for name, words in _REMOVED_SETTINGS.items():
        if name in settings and (settings[name] is None or _is_one_of(settings[name], words)):
            del settings[name]
    modules = settings.get("forge_additional_modules")
    if _is_one_of(modules, _NO_MODULES):
        del settings["forge_additional_modules"]
    elif isinstance(modules, list):
        settings["forge_additional_modules"] = [
            module for module in modules if not _is_one_of(module, _NO_MODULES)
        ]


def _copied_overrides(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a copy of the overrides in each of their places."""
    for holder in (content, content.get("alwayson_scripts")):
        if isinstance(holder, dict) and isinstance(holder.get("override_settings"), dict):
            holder["override_settings"] = dict(holder["override_settings"])
            yield holder["override_settings"]


def _correct_spelling(holder: dict[str, Any], words: Mapping[str, tuple[str, ...]]) -> None:
    for name, spellings in words.items():
        value = holder.get(name)
        if isinstance(value, str):
            same = (spelling for spelling in spellings if spelling.lower() == value.strip().lower())
            holder[name] = next(same, value)


def _is_one_of(value: Any, words: Collection[str]) -> bool:
    return isinstance(value, str) and value.strip().lower() in words
