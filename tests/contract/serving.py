"""A fake in this process behind a real socket, and helpers to read its responses."""

import base64
import io
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from local.fakes.sdwebui.components import Components
from tests.contract.replay import Replay, quick_settings, replaying
from tests.support.recordings import recording

REFERENCE = recording("20-img2img-basic")["request"]["json"]["init_images"][0]
SMALL = {"prompt": "a lighthouse", "steps": 1, "width": 64, "height": 64, "seed": 7}
FLAVORS = pytest.mark.parametrize("flavor", ["forge", "a1111"])


@contextmanager
def server(**settings: Any) -> Iterator[Replay]:
    """Run a fake in this process."""
    with replaying(Components.make, quick_settings(**settings)) as replay:
        yield replay


def opened(image: str) -> Image.Image:
    """Open an image of a response."""
    return Image.open(io.BytesIO(base64.b64decode(image)))


def lora(path: Path, alias: str | None = None, content: bytes = b"x") -> Path:
    """Write a LoRA with an alias in its header."""
    header = json.dumps({"__metadata__": {"ss_output_name": alias} if alias else {}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header + content)
    return path


def name_in_settings_file(replay: Replay, **options: Any) -> None:
    """Set options once, because Web UI restores only options in its settings file."""
    replay.client.post("/sdapi/v1/options", json=options).raise_for_status()


def job(replay: Replay, route: str = "txt2img", **content: Any) -> dict[str, Any]:
    """Send a small job and return its response with parsed `info`."""
    answer = replay.client.post(f"/sdapi/v1/{route}", json={**SMALL, **content})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return {**body, "info": json.loads(body["info"])}


def picture(replay: Replay, **content: Any) -> bytes:
    """Send a small job and return the pixels of its first image."""
    return opened(job(replay, **content)["images"][0]).tobytes()


def unit(model: str, module: str = "canny", **fields: Any) -> dict[str, Any]:
    """Return the scripts of a request with one ControlNet unit."""
    unit_fields = {"enabled": True, "module": module, "model": model, "image": REFERENCE, **fields}
    return {"ControlNet": {"args": [unit_fields]}}
