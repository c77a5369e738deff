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
RECORDED_ROOT = "/opt/comfyui"
MASKED_PATTERNS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "(id)"),
    (re.compile(r"ComfyUI_temp_[a-z]{5}_"), "ComfyUI_temp_(random)_"),
    (re.compile(r"_\d{5}_"), "_(number)_"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "(day)"),
    (re.compile(r"\bcomfy-0\.\d+(\.\d+)?\b"), "(source)"),
)
"""Texts that differ from run to run, with the texts that replace them before a comparison.

The numbers in the names of files are among them; test_behaviour.py tests those.
"""

IGNORED = frozenset(
    {"traceback", "current_inputs", "current_outputs", "timestamp", "executed", "prompt_id"}
    | {"category", "description", "display_name", "essentials_category", "output_tooltips", "search_aliases"}
    | {"argv", "comfy_package_versions", "python_version", "ram_free", "vram_free", "torch_vram_free"}
)
"""Keys whose values are not compared: they differ from run to run, are texts for people, or describe the
recorded machine.
"""

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
        arguments["content"] = (text.replace(RECORDED_ROOT, _root[0]) if _root else text).encode()
    elif "body" in request:
        arguments["content"] = request["body"].encode("latin-1")
    return client.http.request(request["method"], request["path"], **arguments)


def differences(expected: Any, actual: Any, place: str = "") -> list[str]:
    """Return where a value differs from the recorded one, apart from what differs from run to run."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        keys = (expected.keys() | actual.keys()) - IGNORED
        return [
            difference
            for key in sorted(keys, key=_masked)
            for difference in _of_member(expected, actual, key, place)
        ]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [difference for at, pair in pairs for difference in differences(*pair, f"{place}/{at}")]
    if isinstance(expected, str) and isinstance(actual, str):
        expected, actual = _masked(expected), _masked(actual)
    if place.endswith(("/number", "/prompt/0")):
        return []  # the server numbers all jobs, also those of other recordings
    if isinstance(expected, int | float) and isinstance(actual, int | float) and min(expected, actual) > 1e12:
        return []
    return (
        [] if expected == actual else [f"{place}: {str(actual)[:300]!r} instead of {str(expected)[:300]!r}"]
    )


def response_differences(name: str, group: str, response: httpx.Response) -> list[str]:
    """Compare a response with the recorded one."""
    expected = recordings(group)[name]["response"]
    notes = differences(expected["status"], response.status_code, "status")
    for header, value in expected.get("headers", {}).items():
        if header == "content-range":
            continue
        actual = response.headers.get(header, "")
        notes += differences(value.partition(";")[0], actual.partition(";")[0], header)
    if "json" in expected and not notes:
        answer = localized(response.text)
        notes += differences(expected["json"], json.loads(answer), "body")
    return notes + (differences(expected["text"], response.text, "body") if "text" in expected else [])


_root: list[str] = []


def localize(root: Path) -> None:
    """Remember which folder stands for the recorded server's own one."""
    _root[:] = [str(root)]


def localized(text: str) -> str:
    """Replace this machine's folder by that of the recorded server."""
    return text.replace(_root[0], RECORDED_ROOT) if _root else text


def job_differences(name: str, group: str, entry: dict[str, Any], *, cached: bool) -> list[str]:
    """Compare the history of a job with the recorded one; `cached`: also which nodes did not run again."""
    expected = recordings(group)[name]["history"]
    actual = json.loads(localized(json.dumps(entry)))
    notes = differences(expected["outputs"], actual["outputs"], "outputs")
    notes += differences(expected["meta"], actual["meta"], "meta")
    status = dict(expected["status"]), dict(actual["status"])
    messages = [dict(history_status.pop("messages")) for history_status in status]
    if cached:
        recorded_nodes, now = (sorted(message["execution_cached"]["nodes"]) for message in messages)
        notes += differences(recorded_nodes, now, "cached")
    for message in messages:
        message["execution_cached"].pop("nodes")
    return (
        notes
        + differences(status[0], status[1], "status")
        + differences(messages[0], messages[1], "messages")
    )


def _of_member(expected: dict[str, Any], actual: dict[str, Any], key: str, place: str) -> Iterable[str]:
    member_path = f"{place}/{key}"
    found_keys = {_masked(name): name for name in actual}
    if _masked(key) not in found_keys:
        return [f"{member_path}: missing"]
    if key not in expected and _masked(key) not in map(_masked, expected):
        return [f"{member_path}: not recorded"]
    if key not in expected:
        return []
    return differences(expected[key], actual[found_keys[_masked(key)]], member_path)


def _masked(text: str) -> str:
    for pattern, mask in MASKED_PATTERNS:
        text = pattern.sub(mask, text)
    return text


def _form(form_parts: list[dict[str, Any]]) -> dict[str, Any]:
    files, data = [], {}
    for part in form_parts:
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
