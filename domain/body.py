"""Parsing and basic checks of a request's body, before any field is read."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from domain.errors import ErrorCode, Fault, InvalidTask
from domain.limits import DEFAULT_LIMITS, MAX_NAME_LENGTH, MAX_NESTING, MAX_VALUES, Limits

_NOT_JSON = "The request is not valid JSON."
MAX_INVALID_NUMBERS = 20
"""The largest number of invalid numbers that one error lists."""

_COMMENT = re.compile(r"(^|[\s,{\[\"\d])(//|/\*|#)")


def parse_body(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """Parse `raw` as a JSON object; raise InvalidTask (400 or 413) naming each fault and where it is."""
    if len(raw) > limits.body_bytes:
        raise InvalidTask(
            f"The request's body has more than {limits.body_bytes} bytes; send large images as links.",
            code=ErrorCode.TOO_LARGE,
            status=413,
        )
    try:
        value = load_json(raw.decode(), values=MAX_VALUES)
    except UnicodeDecodeError:
        raise _invalid("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _invalid(_describe(error)) from None
    except RecursionError:
        raise _invalid(f"the body is nested deeper than {limits.nesting} levels") from None
    except ValueError as error:  # Raised for integers of thousands of digits.
        raise _invalid(str(error)) from None
    if not isinstance(value, dict):
        raise _invalid("the body must be a JSON object")
    check_values(value, limits.nesting)
    return value


def load_json(text: str, *, values: int = 2 * MAX_VALUES) -> Any:
    """Parse untrusted JSON; raise ValueError, RecursionError or InvalidTask (413) if it is refused.

    Values are counted before any object is made, because two characters of text can become an object of 200
    bytes. The default limit is twice that of a request's body, so that a body that was accepted with `values`
    still passes after metadata were added to it.
    """
    if sum(map(text.count, "[{,")) > values:
        raise InvalidTask(
            f"The request has more than {values} values: its commas and opening brackets are counted, "
            "also inside strings.",
            code=ErrorCode.TOO_LARGE,
            status=413,
        )
    numbers = _Numbers()
    value = json.loads(text, parse_constant=numbers.invalid, parse_float=numbers.read)
    if numbers.found_invalid:
        faults = list(islice(_invalid_numbers(value), MAX_INVALID_NUMBERS))
        raise InvalidTask(_NOT_JSON, code=ErrorCode.INVALID_JSON, faults=faults)
    return value


def check_values(value: Any, nesting: int = MAX_NESTING) -> None:
    """Raise InvalidTask for too deep nesting, too long keys or text that is not valid Unicode.

    Levels are limited by `nesting`, and keys by MAX_NAME_LENGTH. Only the keys that lead to the current value
    are kept in memory, so memory does not grow with the size of the value.
    """
    for keys, item in _walk(value):
        if len(keys) > nesting:
            raise InvalidTask(
                "The request is nested too deeply.",
                faults=[Fault(_path(keys), f"deeper than {nesting} levels")],
            )
        if isinstance(item, str) and not _is_unicode(item):
            raise _not_unicode(keys)
        for name in item if isinstance(item, dict) else ():
            if not _is_unicode(name):
                raise _not_unicode(keys)
            if len(name) > MAX_NAME_LENGTH:
                raise _long_name(keys, name)


def _walk(value: Any) -> Iterator[tuple[Sequence[str | int], Any]]:
    """Yield every value with the list of keys that lead to it; the list is reused for the next value."""
    keys: list[str | int] = []
    stack: list[Iterator[tuple[str | int, Any]]] = []
    yield keys, value
    while True:
        if isinstance(value, dict):
            stack.append(iter(value.items()))
        elif isinstance(value, list):
            stack.append(iter(enumerate(value)))
        elif keys:
            keys.pop()
        while stack and (step := next(stack[-1], None)) is None:
            stack.pop()
            del keys[len(stack) - 1 :]
        if not stack or step is None:
            return
        key, value = step
        keys.append(key)
        yield keys, value


def pointer(key: str) -> str:
    """Escape `key` for use as one segment of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


class _InvalidNumber(float):
    """A number that is not valid JSON, or that is too large for a float."""

    text = ""


class _Numbers:
    def __init__(self) -> None:
        self.found_invalid = False

    def invalid(self, text: str) -> float:
        self.found_invalid = True
        number = _InvalidNumber(text)
        number.text = text[:20]
        return number

    def read(self, text: str) -> float:
        number = float(text)
        return number if math.isfinite(number) else self.invalid(text)


def _invalid_numbers(value: Any) -> Iterator[Fault]:
    for keys, item in _walk(value):
        if isinstance(item, _InvalidNumber):
            what = "is too large" if item.text[-1].isdigit() else "is not JSON"
            yield Fault(_path(keys), f"{item.text} {what}; send a number, or leave the field out")


def _path(keys: Iterable[str | int]) -> str:
    return "".join(f"/{pointer(str(key))}" for key in keys)


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_unicode(keys: Iterable[str | int]) -> InvalidTask:
    return _invalid("a string contains half of a surrogate pair, which is not Unicode text", _path(keys))


def _long_name(keys: Iterable[str | int], name: str) -> InvalidTask:
    message = f"the name of a field has at most {MAX_NAME_LENGTH} characters; this one has {len(name)}"
    return InvalidTask(
        "The request has one fault.", faults=[Fault(f"{_path(keys)}/{pointer(name)}", message)]
    )


def _describe(error: json.JSONDecodeError) -> str:
    where = f"line {error.lineno}, column {error.colno}"
    rest = error.doc[max(error.pos - 1, 0) : error.pos + 3]
    if not error.doc.strip():
        return "the body is empty"
    if _COMMENT.search(rest) or error.doc[error.pos : error.pos + 1] == "/":
        return f"{where}: comments are not part of JSON; remove everything from // (or #) to the line's end"
    if error.msg.startswith("Expecting property name") or error.msg.startswith("Illegal trailing comma"):
        return f"{where}: {error.msg} (a comma before a closing brace is not JSON)"
    return f"{where}: {error.msg}"


def _invalid(message: str, path: str = "") -> InvalidTask:
    return InvalidTask(_NOT_JSON, code=ErrorCode.INVALID_JSON, faults=[Fault(path, message)])
