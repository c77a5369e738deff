"""Nodes that load and change images."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageChops, ImageFile, ImageOps, ImageSequence, UnidentifiedImageError

from local.fakes.comfyui.errors import NodeFailed
from local.fakes.comfyui.execution_context import Context, Result
from local.fakes.comfyui.folders import Folders
from local.fakes.comfyui.values import Facts, NamedModel, Picture, Pictures

METHODS: Final = {
    "nearest-exact": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
NO_MASK_SIDE: Final = 64  # an image without transparency has an empty mask of this size


def accept_any_image() -> None:
    """Let Pillow read truncated and huge images, as recorded: half a PNG is a success.

    These are settings of the whole process, so only the fake's own process may change them.
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    Image.MAX_IMAGE_PIXELS = None


def _opened(context: Context, name: str) -> list[Image.Image]:
    path, _ = context.folders.annotated(name)
    if Path(path).is_dir():
        raise NodeFailed("av.error.IsADirectoryError", f"[Errno 21] Is a directory: '{path}'")
    try:
        with Image.open(path) as file:
            return [ImageOps.exif_transpose(frame.copy()) for frame in ImageSequence.Iterator(file)]
    except (UnidentifiedImageError, OSError, ValueError):
        kind = "av.error.InvalidDataError"
        message = f"[Errno 1094995529] Invalid data found when processing input: '{path}'"
        raise NodeFailed(kind, message) from None


def load_image(context: Context, image: str, **_: Any) -> Result:
    """Load all frames of an image, and its transparency as a mask."""
    frames = _opened(context, image)
    pictures = tuple(Picture(frame.convert("RGB")) for frame in frames)
    first = frames[0]
    if "A" in first.getbands() or "transparency" in first.info:
        mask = ImageChops.invert(first.convert("RGBA").getchannel("A"))
    else:
        mask = Image.new("L", (NO_MASK_SIDE, NO_MASK_SIDE), 0)
    return Result((pictures, mask))


def load_mask(context: Context, image: str, channel: str, **_: Any) -> Result:
    """Load a channel of an image as a mask; transparency is inverted."""
    first = _opened(context, image)[0].convert("RGBA")
    mask = first.getchannel({"alpha": "A", "red": "R", "green": "G", "blue": "B"}[channel])
    return Result((ImageChops.invert(mask) if channel == "alpha" else mask,))


def _changed(picture: Picture, image: Image.Image, what: str) -> Picture:
    facts: Facts = dict(picture.facts)
    if facts:
        facts["then"] = [*facts.get("then", []), what]
    return Picture(image, facts)


def scale(
    context: Context, *, image: Pictures, upscale_method: str, width: int, height: int, crop: str
) -> Result:
    """Scale images to a size; 0 keeps the proportions."""
    out = []
    for one in image:
        wide, high = one.image.size
        size = (width or round(wide * height / high) or 1, height or round(high * width / wide) or 1)
        method = METHODS[upscale_method]
        scaled = ImageOps.fit(one.image, size, method) if crop == "center" else one.image.resize(size, method)
        out.append(_changed(one, scaled, f"scaled to {size[0]}x{size[1]} {upscale_method} {crop}"))
    return Result((tuple(out),))


def scale_by(context: Context, image: Pictures, upscale_method: str, scale_by: float) -> Result:
    """Scale images by a factor."""
    return Result((tuple(_scaled(one, scale_by, METHODS[upscale_method], upscale_method) for one in image),))


def upscale_with_model(context: Context, upscale_model: NamedModel, image: Pictures) -> Result:
    """Scale images to twice their size, as the recorded upscaler does."""
    lanczos = Image.Resampling.LANCZOS
    return Result((tuple(_scaled(one, 2, lanczos, f"by {upscale_model.name}") for one in image),))


def _scaled(picture: Picture, factor: float, method: Image.Resampling, what: str) -> Picture:
    size = (max(1, round(picture.image.width * factor)), max(1, round(picture.image.height * factor)))
    return _changed(picture, picture.image.resize(size, method), f"scaled to {size[0]}x{size[1]} {what}")


def invert(context: Context, image: Pictures) -> Result:
    """Invert colours."""
    return Result((tuple(_changed(one, ImageChops.invert(one.image), "inverted") for one in image),))


def batch(context: Context, image1: Pictures, image2: Pictures) -> Result:
    """Make one batch of two; the second one gets the size of the first."""
    size = image1[0].image.size
    fitted = tuple(
        one if one.image.size == size else _changed(one, ImageOps.fit(one.image, size), "fitted")
        for one in image2
    )
    return Result((image1 + fitted,))


def invert_mask(context: Context, mask: Image.Image) -> Result:
    """Invert a mask."""
    return Result((ImageChops.invert(mask),))


def mask_to_image(context: Context, mask: Image.Image) -> Result:
    """Return a mask as an image."""
    return Result(((Picture(mask.convert("RGB")),),))


def image_to_mask(context: Context, image: Pictures, channel: str) -> Result:
    """Return a channel of an image as a mask."""
    first = image[0].image.convert("RGBA")
    return Result((first.getchannel({"alpha": "A", "red": "R", "green": "G", "blue": "B"}[channel]),))


def value(context: Context, value: Any) -> Result:
    """Return a constant."""
    return Result((value,))


def content_of(folders: Folders, name: str) -> str:
    """Return what tells whether the file that a loader names has changed."""
    path, _ = folders.annotated(name)
    try:
        stat = os.stat(path)  # noqa: PTH116 -- the path keeps the slash at the end of "input/"
    except OSError:
        return ""
    return f"{stat.st_mtime_ns} {stat.st_size}"


NODES: Final[dict[str, Callable[..., Result]]] = {
    "LoadImage": load_image,
    "LoadImageMask": load_mask,
    "LoadImageOutput": load_image,
    "ImageScale": scale,
    "ImageScaleBy": scale_by,
    "ImageUpscaleWithModel": upscale_with_model,
    "ImageInvert": invert,
    "ImageBatch": batch,
    "InvertMask": invert_mask,
    "MaskToImage": mask_to_image,
    "ImageToMask": image_to_mask,
    "PrimitiveInt": value,
    "PrimitiveFloat": value,
    "PrimitiveString": value,
}
