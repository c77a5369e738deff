"""Check the values of a node's inputs by the kind that the catalogue gives them."""

import math
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Final

from runtimes.comfyui.catalogue import Input
from runtimes.comfyui.policy import bad_model_name, begins_as_path, outside

RANDOM: Final = -1
SEEDS: Final = ("seed", "noise_seed")
"""Inputs whose value -1 means that a seed is drawn."""

_WHOLE: Final = re.compile(r"\s*[+-]?[0-9]{1,25}\s*")
_DECIMAL: Final = re.compile(
    r"\s*[+-]?(?:[0-9]{1,25}\.?[0-9]{0,25}|\.[0-9]{1,25})(?:[eE][+-]?[0-9]{1,2})?\s*"
)
_LISTED_CHOICES: Final = 10
_LONGEST_COMPARED: Final = 100


class InvalidValueError(ValueError):
    """A value does not fit its input; the text says what is expected."""


def read(name: str, kind: Input, value: Any) -> Any:
    """Return the value of an input as ComfyUI has to get it; raise InvalidValueError."""
    if name in SEEDS and kind.kind == "INT" and value == RANDOM and not isinstance(value, bool):
        return RANDOM
    if kind.folder is not None:
        return _model(value)
    return _READERS.get(kind.kind, _plain)(kind, value)


def nearest(name: str, known: list[str]) -> str:
    """Return `; the nearest is …`, or nothing."""
    near = get_close_matches(name[:_LONGEST_COMPARED], known[:2000], 1, 0.6)
    return f"; the nearest is {near[0]!r}" if near else ""


def strings(value: Any) -> list[str]:
    """Return all texts in a value, also those in lists and objects, and the names in objects."""
    texts, unread = [], [value]
    while unread:
        part = unread.pop()
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, list):
            unread.extend(part)
        elif isinstance(part, dict):
            unread.extend(part)
            unread.extend(part.values())
    return texts


def _whole(kind: Input, value: Any) -> int:
    if (isinstance(value, str) and _WHOLE.fullmatch(value)) or (
        isinstance(value, float) and math.isfinite(value) and value == int(value)
    ):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValueError("a whole number is expected")
    _within(kind, value)
    return value


def _number(kind: Input, value: Any) -> float:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValueError("a number is expected")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidValueError("a finite number is expected")
    _within(kind, value)
    return value


def _within(kind: Input, value: float) -> None:
    if kind.minimum is not None and value < kind.minimum:
        raise InvalidValueError(f"must be at least {kind.minimum}")
    if kind.maximum is not None and value > kind.maximum:
        raise InvalidValueError(f"must be at most {kind.maximum}")


def _boolean(_kind: Input, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if type(value) is int and value in (0, 1):
        return bool(value)
    raise InvalidValueError("true or false is expected")


def _text(_kind: Input, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValueError("a string is expected" + (", not null" if value is None else ""))
    if reason := outside(value):
        raise InvalidValueError(f"the text {reason}, and workflows reach no files or addresses by name")
    return value


def _prefix(_kind: Input, value: Any) -> str:
    """Return any prefix: the worker puts its own in its place, so it is only kept as a name."""
    if not isinstance(value, str):
        raise InvalidValueError("a string is expected")
    parts = [part for part in re.split(r"[\\/\x00-\x1f\x7f]+", value) if part.strip(". ~")]
    return parts[-1] if parts and not outside(parts[-1]) else "image"


def _no_path(_kind: Input, value: Any) -> str:
    if value not in ("", None):
        raise InvalidValueError("workflows name no files or folders here; leave it empty")
    return ""


def _choice(kind: Input, value: Any) -> Any:
    if any(type(value) is type(choice) and value == choice for choice in kind.choices):
        return value
    shown = ", ".join(str(choice) for choice in kind.choices[:_LISTED_CHOICES])
    more = ", …" if len(kind.choices) > _LISTED_CHOICES else ""
    near = nearest(value, [str(choice) for choice in kind.choices]) if isinstance(value, str) else ""
    raise InvalidValueError(f"one of {shown}{more} is expected{near}")


def _model(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValueError("the name of a model is expected")
    if reason := bad_model_name(value):
        raise InvalidValueError(f"the name of a model is expected; it {reason}")
    return value


def _plain(_kind: Input, value: Any) -> Any:
    """Return a value of unknown kind, if no text in it is a path or a URL."""
    for text in strings(value):
        if reason := outside(text) or begins_as_path(text):
            raise InvalidValueError(f"the text {reason}, and workflows reach no files or addresses by name")
    return value


_READERS: Final[dict[str, Callable[[Input, Any], Any]]] = {
    "INT": _whole,
    "FLOAT": _number,
    "BOOLEAN": _boolean,
    "STRING": _text,
    "prefix": _prefix,
    "path": _no_path,
    "choice": _choice,
}
