"""Nodes that load, make and save videos and sounds."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from PIL import Image

from local.fakes import media
from local.fakes.comfyui.errors import NodeFailed
from local.fakes.comfyui.execution_context import Context, Result
from local.fakes.comfyui.nodes_outputs import next_place, report_of
from local.fakes.comfyui.values import Facts, Picture, Pictures, Sound

CODECS: Final = ("vp9", "av1")
BEGINNINGS: Final = (b"\x1a\x45\xdf\xa3", b"fLaC", b"OggS", b"RIFF", b"ID3", b"\xff\xfb")
FRAMES: Final = 2
"""How many frames a loaded video has, whatever is in it."""

SIDE: Final = 64


def _loaded(context: Context, name: str) -> Facts:
    """Return facts about a file of the input folder; raise NodeFailed for what is neither video nor sound."""
    path = Path(context.folders.annotated(name)[0])
    content = path.read_bytes() if path.is_file() else b""
    if content[4:8] != b"ftyp" and not content.startswith(BEGINNINGS):
        text = f"[Errno 1094995529] Invalid data found when processing input: '{path}'"
        raise NodeFailed("av.error.InvalidDataError", text)
    return {"file_sha256": hashlib.sha256(content).hexdigest()[:16], "bytes": len(content)}


def load_video(context: Context, file: str) -> Result:
    """Load a video: grey frames with facts about the file."""
    facts = _loaded(context, file)
    grey = Image.new("RGB", (SIDE, SIDE), "grey")
    return Result((tuple(Picture(grey, facts | {"frame": number}) for number in range(FRAMES)),))


def take_apart(context: Context, video: Pictures) -> Result:
    """Return the frames of a video, its sound, and its frames a second."""
    return Result((video, Sound(dict(video[0].facts)), 24.0))


def load_audio(context: Context, audio: str) -> Result:
    """Load a sound: facts about the file."""
    return Result((Sound(_loaded(context, audio)),))


def empty_audio(context: Context, duration: float, **_: Any) -> Result:
    """Make a sound of nothing."""
    return Result((Sound({"silence": duration}),))


def create_video(context: Context, images: Pictures, audio: Sound | None = None, **_: Any) -> Result:
    """Make a video of images, perhaps with a sound."""
    facts = {"sound": audio.facts} if audio else {}
    return Result((tuple(Picture(one.image, one.facts | facts) for one in images),))


def save_webm(context: Context, images: Pictures, filename_prefix: str, codec: str, **_: Any) -> Result:
    """Write a WebM."""
    if codec not in CODECS:
        raise KeyError(codec)
    return _save_video(context, images, filename_prefix, "webm")


def save_video(context: Context, video: Pictures, filename_prefix: str, **_: Any) -> Result:
    """Write an MP4."""
    return _save_video(context, video, filename_prefix, "mp4")


def _save_video(context: Context, images: Pictures, prefix: str, ending: str) -> Result:
    width, height = images[0].image.size
    folder, name, subfolder, number = next_place(context, prefix, "output", (width, height))
    path = folder / f"{name}_{number:05}_.{ending}"
    facts = json.dumps([picture.facts for picture in images]).encode()
    write = media.webm if ending == "webm" else media.mp4
    path.write_bytes(write(width, height, len(images), facts))
    return Result((), {"images": [report_of(context, path, subfolder, "output")], "animated": [True]})


def save_flac(context: Context, audio: Sound, filename_prefix: str, **_: Any) -> Result:
    """Write a FLAC."""
    return _save_sound(context, audio, filename_prefix, "flac")


def save_mp3(context: Context, audio: Sound, filename_prefix: str, **_: Any) -> Result:
    """Write an MP3."""
    return _save_sound(context, audio, filename_prefix, "mp3")


def save_opus(context: Context, audio: Sound, filename_prefix: str, **_: Any) -> Result:
    """Write an Ogg with Opus."""
    return _save_sound(context, audio, filename_prefix, "opus")


def preview_audio(context: Context, audio: Sound, **_: Any) -> Result:
    """Write a FLAC into the folder of temporary files."""
    return _save_sound(context, audio, f"ComfyUI_temp_{context.temp_prefix}", "flac", kind="temp")


def _save_sound(context: Context, audio: Sound, prefix: str, ending: str, *, kind: str = "output") -> Result:
    folder, name, subfolder, number = next_place(context, prefix, kind, (0, 0))
    path = folder / f"{name}_{number:05}.{ending}"
    write = {"flac": media.flac, "mp3": media.mp3, "opus": media.opus}[ending]
    path.write_bytes(write(json.dumps(audio.facts).encode()))
    return Result((), {"audio": [report_of(context, path, subfolder, kind)]})


NODES: Final[dict[str, Callable[..., Result]]] = {
    "LoadVideo": load_video,
    "GetVideoComponents": take_apart,
    "LoadAudio": load_audio,
    "EmptyAudio": empty_audio,
    "CreateVideo": create_video,
    "SaveWEBM": save_webm,
    "SaveVideo": save_video,
    "SaveAudio": save_flac,
    "SaveAudioMP3": save_mp3,
    "SaveAudioOpus": save_opus,
    "PreviewAudio": preview_audio,
}
