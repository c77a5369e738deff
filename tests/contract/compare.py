"""Compare a response of the fake SD Web UI with a recorded one: status, headers, form, values and images."""

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

Translate = Callable[[str], str]

VERSION = re.compile(r"Version: [^,\n\"]+")
MACHINE_SPECIFIC = (  # the ends of messages that name addresses, stack frames or byte counts of one machine
    re.compile(r" \(Caused by.*", re.DOTALL),
    re.compile(r"\nException raised from.*", re.DOTALL),
    re.compile(r"(?<=unpacking long long)\"$"),
    re.compile(r"you tried to allocate.*", re.DOTALL),
)
TYPE_ONLY_KEYS = frozenset(
    {"eta_relative", "eta", "free", "used", "total", "subseed", "all_subseeds", "job_timestamp", "version"}
)
"""Their values depend on time, chance or the machine; only their types are compared."""

FAKES_OWN_KEYS = frozenset({"fake_webui"})
COMPARED_HEADERS = frozenset({"content-type", "content-encoding", "allow", "www-authenticate", "server"})
SHAPE_ONLY_ROUTES = frozenset({"prompt-styles"})  # recorded text of a third party; the fake has its own


def differences(
    recorded: dict[str, Any], answer: dict[str, Any], translate: Translate, *, shape_only: bool = False
) -> list[str]:
    """Return how a response (`status`, `headers`, `json` or `text`) differs from the recorded one.
    `translate` replaces this machine's hashes by those of the recorded machine, also inside images.
    """
    notes = []
    if recorded["status"] != answer["status"]:
        notes.append(f"status {answer['status']} instead of {recorded['status']}: {str(answer)[:300]}")
        return notes
    for name in COMPARED_HEADERS - ({"content-encoding"} if shape_only else set()):
        actual, expected = answer["headers"].get(name), (recorded.get("headers") or {}).get(name)
        if actual != expected:
            notes.append(f"header {name}: {actual!r} instead of {expected!r}")
    if ("x-process-time" in answer["headers"]) != ("x-process-time" in recorded["headers"]):
        notes.append("header x-process-time")
    if "json" not in recorded:
        if recorded.get("text") != answer.get("text"):
            notes.append(f"text {answer.get('text')!r} instead of {recorded.get('text')!r}")
        return notes
    expected, actual = _comparable(recorded["json"], str), _comparable(answer["json"], translate)
    return notes + list(_value_differences(expected, actual, "", shape_only=shape_only))


def comparable_properties(text: str | dict[str, Any], translate: Translate) -> dict[str, Any]:
    """Return the properties of an image that can be compared; its pixels cannot, because no model made them
    here.
    """
    if isinstance(text, dict):
        compared_keys = ("format", "mode", "size", "parameters", "comment")
        return {name: text["$image"][name] for name in compared_keys if text["$image"].get(name) is not None}
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    described: dict[str, Any] = {"format": image.format, "mode": image.mode, "size": list(image.size)}
    if "parameters" in image.info:
        described["parameters"] = translate(image.info["parameters"])
    comment = image.getexif().get_ifd(0x8769).get(0x9286)
    if isinstance(comment, bytes):
        described["comment"] = translate(comment.removeprefix(b"UNICODE\0").decode("utf-16-be"))
    elif isinstance(comment, str):
        described["comment"] = translate(comment.removeprefix("UNICODE\0"))
    return described


def _comparable(body: Any, translate: Translate) -> Any:
    """Replace images in a response by their properties, and `info` by its content."""
    if not isinstance(body, dict):
        return body
    body = dict(body)
    if isinstance(body.get("images"), list):
        body["images"] = [comparable_properties(image, translate) for image in body["images"]]
    for key in ("image", "current_image"):
        if isinstance(body.get(key), str | dict):
            body[key] = comparable_properties(body[key], translate)
    if isinstance(body.get("info"), str) and body["info"].startswith("{"):
        body["info"] = json.loads(body["info"])
        _replace_random_seeds(body)
    return body


def _replace_random_seeds(body: dict[str, Any]) -> None:
    """Replace a random seed by a fixed number wherever it occurs."""
    if (body.get("parameters") or {}).get("seed") != -1:
        return
    drawn = str(body["info"]["seed"])
    text = json.dumps({"info": body["info"], "images": body["images"]}).replace(drawn, "4242424242")
    body.update(json.loads(text))


def _value_differences(expected: Any, actual: Any, path: str, *, shape_only: bool) -> Iterator[str]:
    if type(expected) is not type(actual):
        yield f"{path or '/'}: {_short(actual)} instead of {_short(expected)}"
    elif isinstance(expected, dict):
        for key in expected.keys() - actual.keys():
            yield f"{path}/{key}: missing"
        for key in actual.keys() - expected.keys() - FAKES_OWN_KEYS:
            yield f"{path}/{key}: not recorded, {_short(actual[key])}"
        for key in expected.keys() & actual.keys():
            yield from _value_differences(
                expected[key], actual[key], f"{path}/{key}", shape_only=shape_only or key in TYPE_ONLY_KEYS
            )
    elif isinstance(expected, list):
        yield from _list_differences(expected, actual, path, shape_only=shape_only)
    elif not shape_only and _without_machine_specifics(expected) != _without_machine_specifics(actual):
        yield f"{path}: {_short(actual)} instead of {_short(expected)}"


def _list_differences(
    expected: list[Any], actual: list[Any], path: str, *, shape_only: bool
) -> Iterator[str]:
    if not shape_only and len(expected) != len(actual):
        yield f"{path}: {len(actual)} entries instead of {len(expected)}"
    elif shape_only:
        shapes = {_shape(entry) for entry in expected}
        for number, entry in enumerate(actual):
            if _shape(entry) not in shapes:
                yield f"{path}/{number}: of another shape, {_short(entry)}"
    else:
        for number, (element, other) in enumerate(zip(expected, actual, strict=True)):
            yield from _value_differences(element, other, f"{path}/{number}", shape_only=False)


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps({key: _shape(value[key]) for key in sorted(value)})
    if isinstance(value, list):
        return json.dumps(sorted({_shape(entry) for entry in value}))
    return type(value).__name__


def _without_machine_specifics(value: Any) -> Any:
    if isinstance(value, float) and value != value:  # noqa: PLR0124 -- NaN equals nothing, itself neither
        return "NaN"
    if not isinstance(value, str):
        return value
    value = VERSION.sub("Version: X", value)
    for noise in MACHINE_SPECIFIC:
        value = noise.sub("", value)
    return value


def _short(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:160]!r}"
