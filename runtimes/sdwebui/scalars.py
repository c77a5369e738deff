"""Convert numbers and booleans to typed values, as SD Web UI's request models read them."""

import math
import re
from collections.abc import Callable
from typing import Any, Final

from domain.errors import Fault

_INTEGER: Final = re.compile(r"\s*[+-]?[0-9]{1,1000}\s*", re.ASCII)
_NUMBER: Final = re.compile(
    r"\s*[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,5})?\s*", re.ASCII
)
_NOT_FINITE: Final = re.compile(r"\s*[+-]?(?:nan|inf|infinity)\s*", re.IGNORECASE)
_TRUE: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE: Final = frozenset({"0", "false", "f", "no", "n", "off"})


class Mismatch(Exception):
    """A value of a wrong type; the message says what is expected."""


def read_value(kind: str, value: Any) -> Any:
    """Return `value` as a field of `kind` stores it; raise Mismatch if it has another type.

    A kind is the type name of JSON Schema, with `?` if null is allowed. Texts are accepted if the request
    models of AUTOMATIC1111 (pydantic 1) and Forge (pydantic 2) read them alike: `"20"` and `20.0` are
    integers, `"20.0"` and `1.5` are not; `"off"` is false.
    """
    base = kind.removesuffix("?")
    if value is None:
        if kind.endswith("?"):
            return None
        raise Mismatch(f"{_with_article(base)} is expected, not null")
    reader = _READERS.get(base)
    if reader is not None:
        return reader(value)
    if not _has_type(base, value):
        raise Mismatch(f"{_with_article(base)} is expected")
    return value


def read_values(values: dict[str, Any], kinds: dict[str, str], path: str) -> list[Fault]:
    """Convert each value of a known kind in place; return faults for those that cannot be read."""
    faults = []
    for name, kind in kinds.items():
        if name not in values:
            continue
        try:
            values[name] = read_value(kind, values[name])
        except Mismatch as expected:
            faults.append(Fault(f"{path}/{name}", str(expected)))
    return faults


def _integer(value: Any) -> int:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    raise Mismatch("an integer is expected")


def _number(value: Any) -> int | float:
    if isinstance(value, str) and _NOT_FINITE.fullmatch(value):
        raise Mismatch("a finite number is expected")
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, int | float):
        raise Mismatch("a number is expected")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        finite = False
    if not finite:
        raise Mismatch("a finite number is expected")
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise Mismatch("a boolean is expected")


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}


def _has_type(base: str, value: Any) -> bool:
    match base:
        case "string":
            return isinstance(value, str)
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "array of string":
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case _:
            raise AssertionError(base)


def _with_article(kind: str) -> str:
    kind = "array of strings" if kind == "array of string" else kind
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
