"""The recorded jobs in the order in which they ran, with what was done to the server's folders in between."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from local.fakes.model_file import write_checkpoint
from tests.contract.comfyui.replay import image, recordings, write_models
from tests.support.comfyui import png

Action = Callable[[Path], object]
GIF_FRAMES = 2


def change_nothing(base: Path) -> None:
    """Change nothing."""


@dataclass(frozen=True)
class Session:
    """Jobs that ran after each other on one server; `before` are actions before a recording."""

    names: tuple[str, ...]
    before: dict[str, Action] = field(default_factory=dict)
    set_up: Action = change_nothing
    cached: bool = True


def recorded_jobs(*prefixes: str, without: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the recorded jobs whose names begin like this, in the order of their numbers."""
    group = recordings("jobs")

    def number(name: str) -> Any:
        return group[name]["response"]["json"]["number"]

    return tuple(
        name for name in sorted(group, key=number) if name.startswith(prefixes) and name not in without
    )


def _checkpoint(base: Path, name: str) -> Path:
    return base / "models/checkpoints" / name


def _half(base: Path, *, of_name: bytes) -> None:
    path = write_checkpoint(_checkpoint(base, "half.safetensors"), of_name)
    path.write_bytes(path.read_bytes()[:-1])


def write_inputs(base: Path) -> None:
    """Write the files that the recorded workflows load."""
    (base.parent / "secret").mkdir()
    (base.parent / "secret/s.png").write_bytes(png("purple"))
    for name in ("a.png", "task/1/b.png", "s/a.png", "q [input].png", "日本語 ü.png", "chg.png"):
        path = base / "input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image(155))
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    content = io.BytesIO()
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:])
    (base / "input/anim.gif").write_bytes(content.getvalue())
    (base / "input/n.txt").write_bytes(b"hello")
    (base / "input/empty.png").write_bytes(b"")
    (base / "input/trunc.png").write_bytes(image(155)[:-30])
    (base / "temp/t.png").write_bytes(image(155))
    (base / "output/cc_00001_.png").write_bytes(image(155))


SESSIONS = {
    "text to image": Session(recorded_jobs("1")),
    "loading images": Session(
        recorded_jobs("32-"),
        {"32-loadimage-changed-2": lambda base: (base / "input/chg.png").write_bytes(image(99))},
        write_inputs,
    ),
    "loading masks": Session(recorded_jobs("33-"), set_up=write_inputs),
    "errors": Session(
        recorded_jobs("40-", "41-", "42-", "43-", without=("41-error-nojson",)),
        {
            "43-corrupt-checkpoint": lambda base: _checkpoint(base, "broken.safetensors").write_bytes(
                b"\xff" * 64
            ),
            "43-half-written-checkpoint": lambda base: _half(base, of_name=b"a"),
            "43-half-written-completed": lambda base: write_checkpoint(
                _checkpoint(base, "half.safetensors"), b"a"
            ),
            "43-replaced-same-name": lambda base: write_checkpoint(
                _checkpoint(base, "half.safetensors"), b"b"
            ),
        },
        lambda base: [
            write_checkpoint(_checkpoint(base, "noclip.safetensors"), b"without text encoder"),
            write_checkpoint(_checkpoint(base, "onlyvae.safetensors"), b"not a model"),
            write_checkpoint(_checkpoint(base, "new/deep/x.safetensors")),
            write_checkpoint(base / "models/loras/foreign.safetensors"),
        ],
    ),
    "prefixes": Session(recorded_jobs("60-"), set_up=write_inputs),
    "output nodes": Session(recorded_jobs("63-"), set_up=write_inputs, cached=False),
    "NaN": Session(recorded_jobs("20-")),
    "progress": Session(recorded_jobs("68-"), cached=False),
    "after POST /free": Session(recorded_jobs("64-")),
}


def prepare(base: Path, session: Session) -> dict[str, Path]:
    """Make the folders of a recorded server and return them."""
    folders = {name: base / name for name in ("models", "input", "output", "temp")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    write_models(folders["models"])
    session.set_up(base)
    return folders
