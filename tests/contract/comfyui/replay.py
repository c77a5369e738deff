"""Replay recordings of a real ComfyUI with a fake one, and say what differs."""

import io
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from local.fakes.model_file import write_checkpoint
from tests.support.comfyui import Client

FOLDER = Path(__file__).parent / "recordings"
ROOT = "/opt/comfyui"
MASKS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "(id)"),
    (re.compile(r"ComfyUI_temp_[a-z]{5}_"), "ComfyUI_temp_(random)_"),
    (re.compile(r"_\d{5}_"), "_(number)_"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "(day)"),
    (re.compile(r"\bcomfy-0\.\d+(\.\d+)?\b"), "(source)"),
)
"""What differs from run to run; the numbers of files have a test of their own."""

IGNORED = frozenset(
    {"traceback", "current_inputs", "current_outputs", "timestamp", "executed", "prompt_id"}
    | {"category", "description", "display_name", "essentials_category", "output_tooltips", "search_aliases"}
    | {"argv", "comfy_package_versions", "python_version", "ram_free", "vram_free", "torch_vram_free"}
)
"""Also texts for people in the descriptions of classes, and what only describes the recorded machine."""

IMAGE_BYTES = re.compile(r"<(\d+) bytes>")
NOT_IMAGES = {5: b"hello", 8: b"print(1)", 25: b"<script>alert(1)</script>", 0: b""}


@cache
def recordings(group: str) -> dict[str, dict[str, Any]]:
    """Return the recordings of a group by name; callers must not change them."""
    lines = (FOLDER / f"{group}.jsonl").read_text(encoding="utf-8").splitlines()
    return {line["name"]: line for line in map(json.loads, lines)}


def write_models(folder: Path) -> None:
    """Write the recorded server's models: three checkpoints, LoRAs, an upscaler and an embedding."""
    for name in (
        "checkpoints/tiny-a.safetensors",
        "checkpoints/tiny-b.safetensors",
        "checkpoints/sub/tiny-c.safetensors",
        "loras/tiny-lora.safetensors",
        "upscale_models/tiny-x2.safetensors",
        "embeddings/tiny-emb.safetensors",
    ):
        write_checkpoint(folder / name, name.encode())


def send(client: Client, name: str, group: str) -> httpx.Response:
    """Send a recorded request."""
    request = recordings(group)[name]["request"]
    headers = {k: v for k, v in request.get("headers", {}).items() if k != "content-type"}
    arguments: dict[str, Any] = {"headers": headers}
    if "multipart" in request:
        arguments |= _form(request["multipart"])
    elif "json" in request:
        text = json.dumps(request["json"])
        arguments["content"] = (text.replace(ROOT, _root[0]) if _root else text).encode()
    elif "body" in request:
        arguments["content"] = request["body"].encode("latin-1")
    return client.http.request(request["method"], request["path"], **arguments)


def differences(expected: Any, found: Any, place: str = "") -> list[str]:
    """Return where a value differs from the recorded one, apart from what differs from run to run."""
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = (expected.keys() | found.keys()) - IGNORED
        return [one for key in sorted(keys, key=_masked) for one in _of_member(expected, found, key, place)]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [one for at, pair in pairs for one in differences(*pair, f"{place}/{at}")]
    if isinstance(expected, str) and isinstance(found, str):
        expected, found = _masked(expected), _masked(found)
    if place.endswith(("/number", "/prompt/0")):
        return []  # they continue those of other recordings
    if isinstance(expected, int | float) and isinstance(found, int | float) and min(expected, found) > 1e12:
        return []
    return [] if expected == found else [f"{place}: {str(found)[:300]!r} instead of {str(expected)[:300]!r}"]


def response_differences(name: str, group: str, response: httpx.Response) -> list[str]:
    """Compare a response with the recorded one."""
    expected = recordings(group)[name]["response"]
    found = differences(expected["status"], response.status_code, "status")
    for header, value in expected.get("headers", {}).items():
        if header == "content-range":
            continue
        here = response.headers.get(header, "")
        found += differences(value.partition(";")[0], here.partition(";")[0], header)
    if "json" in expected and not found:
        answer = localized(response.text)
        found += differences(expected["json"], json.loads(answer), "body")
    return found + (differences(expected["text"], response.text, "body") if "text" in expected else [])


_root: list[str] = []


def localize(root: Path) -> None:
    """Remember which folder stands for the recorded server's own one."""
    _root[:] = [str(root)]


def localized(text: str) -> str:
    """Replace this machine's folder by that of the recorded server."""
    return text.replace(_root[0], ROOT) if _root else text


def job_differences(name: str, group: str, entry: dict[str, Any], *, cached: bool) -> list[str]:
    """Compare the history of a job with the recorded one; `cached`: also which nodes did not run again."""
    expected = recordings(group)[name]["history"]
    here = json.loads(localized(json.dumps(entry)))
    found = differences(expected["outputs"], here["outputs"], "outputs")
    found += differences(expected["meta"], here["meta"], "meta")
    status = dict(expected["status"]), dict(here["status"])
    messages = [dict(one.pop("messages")) for one in status]
    if cached:
        there, now = (sorted(one["execution_cached"]["nodes"]) for one in messages)
        found += differences(there, now, "cached")
    for one in messages:
        one["execution_cached"].pop("nodes")
    return (
        found
        + differences(status[0], status[1], "status")
        + differences(messages[0], messages[1], "messages")
    )


def _of_member(expected: dict[str, Any], found: dict[str, Any], key: str, place: str) -> Iterable[str]:
    here = f"{place}/{key}"
    found_keys = {_masked(name): name for name in found}
    if _masked(key) not in found_keys:
        return [f"{here}: missing"]
    if key not in expected and _masked(key) not in map(_masked, expected):
        return [f"{here}: not recorded"]
    if key not in expected:
        return []
    return differences(expected[key], found[found_keys[_masked(key)]], here)


def _masked(text: str) -> str:
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return text


def _form(parts: list[dict[str, Any]]) -> dict[str, Any]:
    files, data = [], {}
    for part in parts:
        text = part.get("data", "")
        size = IMAGE_BYTES.fullmatch(text)
        content = image(int(size.group(1))) if size else text.encode()
        if "filename" in part:
            files.append((part["name"], (part["filename"], content, part.get("type", "image/png"))))
        else:
            data[part["name"]] = text
    if not files:
        return {"files": [(name, (None, text)) for name, text in data.items()]}
    return {"files": files, "data": data}


def image(size: int) -> bytes:
    """Return the content of an uploaded file, of which only the size was recorded: equal for equal sizes."""
    if size in NOT_IMAGES:
        return NOT_IMAGES[size]
    content = io.BytesIO()
    Image.new("RGB", (64, 64), (size % 256, 60, 90)).save(content, "PNG")
    return content.getvalue()
