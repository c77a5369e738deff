"""Output nodes, which write files and report them."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from local.fakes.comfyui import recipe
from local.fakes.comfyui.errors import NodeFailed
from local.fakes.comfyui.execution_context import Context, Result
from local.fakes.comfyui.values import Picture, Pictures

MP4: Final = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"
WEBM: Final = b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x84webm"
CODECS: Final = ("vp9", "av1")
NUMBER: Final = re.compile(r"_(\d+)_?.*")


def _place(context: Context, prefix: str, kind: str, size: tuple[int, int]) -> tuple[Path, str, str, int]:
    """Return folder, file name, subfolder and number of the next file with a prefix.

    The number is the highest in the folder plus 1, so it is used again after its file has been removed.
    """
    root = str(context.folders.by_type[kind])
    now = time.localtime()
    for word, text in {
        "%width%": str(size[0]),
        "%height%": str(size[1]),
        "%year%": str(now.tm_year),
        "%month%": f"{now.tm_mon:02}",
        "%day%": f"{now.tm_mday:02}",
        "%hour%": f"{now.tm_hour:02}",
        "%minute%": f"{now.tm_min:02}",
        "%second%": f"{now.tm_sec:02}",
    }.items():
        prefix = prefix.replace(word, text)
    subfolder, name = os.path.split(os.path.normpath(prefix))
    folder = os.path.join(root, subfolder)  # noqa: PTH118 -- an absolute prefix leaves the root, as recorded
    common = os.path.commonpath((root, os.path.abspath(folder)))  # noqa: PTH100
    if common != root:
        raise NodeFailed(
            "Exception",
            "**** ERROR: Saving image outside the output folder is not allowed.\n full_output_folder: "
            f"{os.path.abspath(folder)}\n         output_dir: {root}\n         commonpath: {common}",  # noqa: PTH100
        )
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103 -- raises ValueError for a NUL, as recorded
    numbers = [
        int(found.group(1))
        for file in os.listdir(folder)  # noqa: PTH208
        if file.startswith(f"{name}_") and (found := NUMBER.match(file[len(name) :]))
    ]
    return Path(folder), name, subfolder, max(numbers, default=0) + 1


def _written(picture: Picture) -> Image.Image:
    return recipe.write(picture.image, picture.facts) if picture.facts else picture.image


def _metadata(context: Context) -> PngInfo | None:
    if not context.settings.metadata:
        return None
    chunks = PngInfo()
    chunks.add_text("prompt", json.dumps(context.prompt))
    for key, content in (context.extra_data.get("extra_pnginfo") or {}).items():
        chunks.add_text(key, json.dumps(content))
    return chunks


def _save(context: Context, images: Pictures, prefix: str, kind: str) -> Result:
    folder, name, subfolder, number = _place(context, prefix, kind, images[0].image.size)
    reported = []
    for place, picture in enumerate(images):
        file = f"{name.replace('%batch_num%', str(place))}_{number + place:05}_.png"
        _written(picture).save(folder / file, pnginfo=_metadata(context), compress_level=4)
        reported.append(_reported(context, folder / file, subfolder, kind))
    return Result((images,), {"images": reported})


def _reported(context: Context, path: Path, subfolder: str, kind: str) -> dict[str, Any]:
    """Return how a file is reported, changed by the job's faults."""
    if "cut-file" in context.injected:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if "missing-file" in context.injected:
        path.unlink()
    if "outside-name" in context.injected:
        return {"filename": "../../etc/hostname", "subfolder": "../..", "type": kind}
    return {"filename": path.name, "subfolder": subfolder, "type": kind}


def save_image(context: Context, images: Pictures, filename_prefix: str, **_: Any) -> Result:
    """Write PNG files into the output folder."""
    return _save(context, images, filename_prefix, "output")


def preview_image(context: Context, images: Pictures, **_: Any) -> Result:
    """Write PNG files into the folder of temporary files."""
    return _save(context, images, f"ComfyUI_temp_{context.temp_prefix}", "temp")


def preview_mask(context: Context, mask: Image.Image, **_: Any) -> Result:
    """Write a mask into the folder of temporary files."""
    saved = preview_image(context, (Picture(mask.convert("RGB")),))
    return Result((), {**(saved.ui or {}), "animated": [False]})


def _one_file(context: Context, images: Pictures, prefix: str, content: bytes | str) -> Result:
    """Write one file of several frames: bytes, or the name of Pillow's format."""
    folder, name, subfolder, number = _place(context, prefix, "output", images[0].image.size)
    if isinstance(content, bytes):
        path = folder / f"{name}_{number:05}_.{'webm' if content is WEBM else 'mp4'}"
        facts = json.dumps([picture.facts for picture in images]).encode()
        path.write_bytes(content + facts)
    else:
        path = folder / f"{name}_{number:05}_.{content.lower()}"
        frames = [_written(picture) for picture in images]
        frames[0].save(path, content, save_all=True, append_images=frames[1:], lossless=True)
    ui: dict[str, Any] = {"images": [_reported(context, path, subfolder, "output")]}
    if isinstance(content, bytes) or len(images) > 1:
        ui["animated"] = [True]
    return Result((), ui)


def save_webp(context: Context, images: Pictures, filename_prefix: str, **_: Any) -> Result:
    """Write an animated WebP."""
    return _one_file(context, images, filename_prefix, "WEBP")


def save_apng(context: Context, images: Pictures, filename_prefix: str, **_: Any) -> Result:
    """Write an animated PNG."""
    return _one_file(context, images, filename_prefix, "PNG")


def save_webm(context: Context, images: Pictures, filename_prefix: str, codec: str, **_: Any) -> Result:
    """Write what begins like a WebM file."""
    if codec not in CODECS:
        raise KeyError(codec)
    return _one_file(context, images, filename_prefix, WEBM)


def create_video(context: Context, images: Pictures, **_: Any) -> Result:
    """Make a video of images."""
    return Result((images,))


def save_video(context: Context, video: Pictures, filename_prefix: str, **_: Any) -> Result:
    """Write what begins like an MP4 file."""
    return _one_file(context, video, filename_prefix, MP4)


def preview_any(context: Context, source: Any) -> Result:
    """Report a value as text."""
    return Result((), {"text": [source if isinstance(source, str) else str(source)]})


def save_checkpoint(context: Context, filename_prefix: str, **_: Any) -> Result:
    """Write a model that later jobs can load, and report nothing."""
    folder, name, _subfolder, number = _place(context, filename_prefix, "output", (0, 0))
    (folder / f"{name}_{number:05}_.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    return Result()


NODES: Final[dict[str, Callable[..., Result]]] = {
    "SaveImage": save_image,
    "PreviewImage": preview_image,
    "MaskPreview": preview_mask,
    "SaveAnimatedWEBP": save_webp,
    "SaveAnimatedPNG": save_apng,
    "SaveWEBM": save_webm,
    "CreateVideo": create_video,
    "SaveVideo": save_video,
    "PreviewAny": preview_any,
    "CheckpointSave": save_checkpoint,
}
