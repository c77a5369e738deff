"""Decide which further settings of SD Web UI an operator may allow tasks to override."""

import re
from collections.abc import Mapping
from typing import Any, Final

from runtimes.sdwebui.overrides import CHECKPOINT_SETTING, SETTING_KINDS, UNLISTED, setting_refusal
from runtimes.sdwebui.scalars import Mismatch, read_value

MAX_OPENED: Final = 20
"""Maximum number of further settings: they are part of the Lambda's environment, which is limited to 4 KB."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ .-]{0,99}")

_REFUSED_WORDS: Final[Mapping[str, str]] = {
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

_MODEL_SETTINGS: Final = frozenset(
    {"sd_lora", "sd_hypernetwork", "sd_unet", "sd_model_refiner", "forge_preset"}
)

_PATH_OR_LINK: Final = re.compile(
    r"^\s*(?:[/\\~]|[A-Za-z]:[/\\]|[A-Za-z][A-Za-z0-9+.-]*://)|(?:^|[/\\])\.\.(?:[/\\]|$)"
)


def refusal_to_open(name: str, default: Any) -> str | None:
    """Return why an operator may not open a setting to tasks with this default, or None."""
    if name in SETTING_KINDS:
        return _default_mismatch(SETTING_KINDS[name], default)
    reason = _name_refusal(name)
    if reason is None and value_kind(default) is None:
        reason = "its default must be a boolean, a number, a text or a list of texts"
    return reason or value_refusal(default)


def _name_refusal(name: str) -> str | None:
    if not _NAME.fullmatch(name):
        return "it is not a valid name of a setting"
    if name == CHECKPOINT_SETTING or name in _MODEL_SETTINGS:
        return "a task names its models in its content, where they are looked up"
    reason = setting_refusal(name)
    if reason != UNLISTED:
        return reason
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word in _REFUSED_WORDS]
    return f"its name suggests {_REFUSED_WORDS[words[0]]}, which a task must not choose" if words else None


def value_refusal(value: Any) -> str | None:
    """Return why a setting that the operator opened must not have a value, or None."""
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, str) and _PATH_OR_LINK.search(text) for text in texts):
        return "a task must not choose paths or links"
    return None


def value_kind(default: Any) -> str | None:
    """Return the type of a setting's values, in the words of `runtimes.sdwebui.scalars`."""
    if isinstance(default, list):
        return "array of string" if all(isinstance(item, str) for item in default) else None
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return kinds.get(type(default))


def _default_mismatch(kind: str, default: Any) -> str | None:
    try:
        read_value(kind, default)
    except Mismatch as expected:
        return str(expected)
    return None
