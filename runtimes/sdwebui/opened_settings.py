"""Decide which further settings of SD Web UI an operator may allow tasks to override."""

import re
from collections.abc import Mapping
from typing import Any, Final

from runtimes.sdwebui.overrides import CHECKPOINT_SETTING, SETTING_KINDS, UNLISTED, refused_setting
from runtimes.sdwebui.scalars import Mismatch, read

MAX_OPENED: Final = 20

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ .-]{0,99}")

_WORDS: Final[Mapping[str, str]] = {
    word: reason
    for words, reason in (
        ("dir dirs directory directories folder folders file files filename filenames path paths", "a path"),
        ("url urls uri host hostname port proxy server webhook address", "an address"),
        ("auth password secret token key apikey credentials user username", "credentials"),
        ("cmd command exec eval code python", "code"),
    )
    for word in words.split()
}
"""Words in the names of settings that a task must not choose, and what such a setting is."""

_MODELS: Final = frozenset({"sd_lora", "sd_hypernetwork", "sd_unet", "sd_model_refiner", "forge_preset"})

_PATH_OR_LINK: Final = re.compile(
    r"^\s*(?:[/\\~]|[A-Za-z]:[/\\]|[A-Za-z][A-Za-z0-9+.-]*://)|(?:^|[/\\])\.\.(?:[/\\]|$)"
)


def refused_opening(name: str, default: Any) -> str | None:
    """Return why an operator may not open a setting to tasks with this default, or None."""
    if name in SETTING_KINDS:
        return _mismatch(SETTING_KINDS[name], default)
    reason = _refused_name(name)
    if reason is None and kind_of(default) is None:
        reason = "its default must be a boolean, a number, a text or a list of texts"
    return reason or refused_value(default)


def _refused_name(name: str) -> str | None:
    if not _NAME.fullmatch(name):
        return "it is not a valid name of a setting"
    if name == CHECKPOINT_SETTING or name in _MODELS:
        return "a task names its models in its content, where they are looked up"
    reason = refused_setting(name)
    if reason != UNLISTED:
        return reason
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word in _WORDS]
    return f"its name suggests {_WORDS[words[0]]}, which a task must not choose" if words else None


def refused_value(value: Any) -> str | None:
    """Return why a setting that the operator opened must not have a value, or None."""
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, str) and _PATH_OR_LINK.search(text) for text in texts):
        return "a task must not choose paths or links"
    return None


def kind_of(default: Any) -> str | None:
    """Return the type of a setting's values, in the words of `runtimes.sdwebui.scalars`."""
    if isinstance(default, list):
        return "array of string" if all(isinstance(one, str) for one in default) else None
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return kinds.get(type(default))


def _mismatch(kind: str, default: Any) -> str | None:
    try:
        read(kind, default)
    except Mismatch as expected:
        return str(expected)
    return None
