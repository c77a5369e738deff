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

NUMBER: Final = re.compile(r"_(\d+)_?.*")


def next_place(context: Context, prefix: str, kind: str, size: tuple[int, int]) -> tuple[Path, str, str, int]:
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
    folder, name, subfolder, number = next_place(context, prefix, kind, images[0].image.size)
    reported = []
    for place, picture in enumerate(images):
        file = f"{name.replace('%batch_num%', str(place))}_{number + place:05}_.png"
        _written(picture).save(folder / file, pnginfo=_metadata(context), compress_level=4)
        reported.append(report_of(context, folder / file, subfolder, kind))
    return Result((images,), {"images": reported})


def report_of(context: Context, path: Path, subfolder: str, kind: str) -> dict[str, Any]:
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


def _animation(context: Context, images: Pictures, prefix: str, format_: str) -> Result:
    """Write one file of several frames in one of Pillow's formats."""
    folder, name, subfolder, number = next_place(context, prefix, "output", images[0].image.size)
    path = folder / f"{name}_{number:05}_.{format_.lower()}"
    frames = [_written(picture) for picture in images]
    frames[0].save(path, format_, save_all=True, append_images=frames[1:], lossless=True)
    ui: dict[str, Any] = {"images": [report_of(context, path, subfolder, "output")]}
    if len(images) > 1:
        ui["animated"] = [True]
    return Result((), ui)


def save_webp(context: Context, images: Pictures, filename_prefix: str, **_: Any) -> Result:
    """Write an animated WebP."""
    return _animation(context, images, filename_prefix, "WEBP")


def save_apng(context: Context, images: Pictures, filename_prefix: str, **_: Any) -> Result:
    """Write an animated PNG."""
    return _animation(context, images, filename_prefix, "PNG")


def preview_any(context: Context, source: Any) -> Result:
    """Report a value as text."""
    return Result((), {"text": [source if isinstance(source, str) else str(source)]})


def save_checkpoint(context: Context, filename_prefix: str, **_: Any) -> Result:
    """Write a model that later jobs can load, and report nothing."""
    folder, name, _subfolder, number = next_place(context, filename_prefix, "output", (0, 0))
    (folder / f"{name}_{number:05}_.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    return Result()


NODES: Final[dict[str, Callable[..., Result]]] = {
    "SaveImage": save_image,
    "PreviewImage": preview_image,
    "MaskPreview": preview_mask,
    "SaveAnimatedWEBP": save_webp,
    "SaveAnimatedPNG": save_apng,
    "PreviewAny": preview_any,
    "CheckpointSave": save_checkpoint,
}
