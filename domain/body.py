"""A request's body, from bytes to an object: the faults that stand before any field is read."""

import json
import math
import re
from typing import Any, NoReturn

from domain.errors import ErrorCode, Fault, InvalidTask
from domain.limits import DEFAULT_LIMITS, MAX_NESTING, Limits

_COMMENT = re.compile(r"(^|[\s,{\[\"\d])(//|/\*|#)")


def parse_body(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """Return the JSON object in `raw`; raise InvalidTask (400, 413) saying what is wrong and where."""
    if len(raw) > limits.body_bytes:
        raise InvalidTask(
            f"The request's body has more than {limits.body_bytes} bytes; send large images as links.",
            code=ErrorCode.TOO_LARGE,
            status=413,
        )
    try:
        value = json.loads(raw.decode(), parse_constant=_no_constant, parse_float=finite)
    except UnicodeDecodeError:
        raise _invalid("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _invalid(_describe(error)) from None
    except RecursionError:
        raise _invalid(f"the body is nested deeper than {limits.nesting} levels") from None
    except ValueError as error:  # NaN, Infinity, integers of thousands of digits
        raise _invalid(str(error)) from None
    if not isinstance(value, dict):
        raise _invalid("the body must be a JSON object")
    check_text_and_depth(value, limits.nesting)
    return value


def check_text_and_depth(value: Any, nesting: int = MAX_NESTING) -> None:
    """Raise InvalidTask for nesting beyond `nesting` levels and for text that is not Unicode."""
    layer: list[tuple[str, Any]] = [("", value)]
    for _ in range(nesting + 1):
        children: list[tuple[str, Any]] = []
        for path, item in layer:
            if isinstance(item, dict):
                for key, child in item.items():
                    _check_unicode(path, key)
                    children.append((f"{path}/{pointer(key)}", child))
            elif isinstance(item, list):
                children.extend((f"{path}/{index}", child) for index, child in enumerate(item))
            elif isinstance(item, str):
                _check_unicode(path, item)
        if not children:
            return
        layer = children
    raise InvalidTask(
        "The request is nested too deeply.",
        faults=[Fault(layer[0][0], f"deeper than {nesting} levels")],
    )


def pointer(key: str) -> str:
    """Return `key` as a segment of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def finite(text: str) -> float:
    """Return a number of JSON; raise ValueError for one like 1e999: it could not be written as JSON again."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is not a number that can be represented")
    return number


def _check_unicode(path: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _invalid("a string holds half of a surrogate pair, which is not Unicode text", path) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


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
    return InvalidTask(
        "The request is not valid JSON.", code=ErrorCode.INVALID_JSON, faults=[Fault(path, message)]
    )
