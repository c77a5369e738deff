"""Decode and encode images as base64, accepting and refusing what SD Web UI does."""

import base64
import binascii
import io
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from local.fakes.sdwebui.errors import Failure, invalid_image
from local.fakes.sdwebui.options import Options

DOWNLOAD_TIMEOUT_SECONDS = 30
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
ENCODED = "encoded ahead"  # key in a Pillow image's `info` under which its PNG is kept
EXIF_DIRECTORY_TAG, USER_COMMENT_TAG = 0x8769, 0x9286


def decode_image(text: Any, options: Options) -> Image.Image:
    """Open an image from base64, a `data:image/` URI or a URL.

    Its pixels are read later, and a truncated file is noticed only then. Raise Failure or HTTPException.
    """
    if text is None:
        raise Failure("AttributeError", "'NoneType' object has no attribute 'startswith'")
    if text.startswith(("http://", "https://")):
        return _download(text, options)
    if text.startswith("data:image/"):
        parts = text.split(";")
        parts = parts[1].split(",") if len(parts) > 1 else []
        if len(parts) < 2:
            raise Failure("IndexError", "list index out of range")
        text = parts[1]
    try:
        return Image.open(io.BytesIO(base64.b64decode(text)))
    except (binascii.Error, ValueError, UnidentifiedImageError, OSError, Image.DecompressionBombError):
        raise invalid_image() from None


def pixels(image: Image.Image, *, keep_alpha: bool = False) -> Image.Image:
    """Return an opened image as RGB, or as RGBA with `keep_alpha`, rotated as its EXIF says."""
    try:
        rotated = ImageOps.exif_transpose(image)
        return rotated if keep_alpha and rotated.mode == "RGBA" else rotated.convert("RGB")
    except (OSError, SyntaxError):
        raise Failure("OSError", "image file is truncated") from None


def encode_image(image: Image.Image, options: Options) -> str:
    """Encode in the format of the option `samples_format`; an unknown one is a 500 after the job."""
    image_format = str(options["samples_format"]).lower()
    buffer = io.BytesIO()
    text = image.info.get("parameters", "")
    if image_format == "png":
        buffer.write(image.info.get(ENCODED) or _png(image, text))
    elif image_format in ("jpg", "jpeg", "webp"):
        quality = int(options["jpeg_quality"] or 80)
        pillow_format = "WEBP" if image_format == "webp" else "JPEG"
        image.convert("RGB").save(buffer, format=pillow_format, quality=quality, exif=_exif_with(text))
    else:
        raise HTTPException(500, "Invalid image format")
    return base64.b64encode(buffer.getvalue()).decode()


def encode_ahead(image: Image.Image, options: Options) -> None:
    """Encode a finished image while its job still runs, if it will be a PNG.

    SD Web UI encodes after the job. The fake does not, so that a job takes exactly the requested time.
    """
    if str(options["samples_format"]).lower() == "png":
        image.info[ENCODED] = _png(image, image.info.get("parameters", ""), level=1)


def encode_gif(frames: list[Image.Image], frames_per_second: float) -> str:
    """Encode an animation, whatever `samples_format` says."""
    buffer = io.BytesIO()
    milliseconds = max(20, round(1000 / frames_per_second))  # GIF viewers slow down below 20 ms
    frames[0].save(
        buffer, format="GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0
    )
    return base64.b64encode(buffer.getvalue()).decode()


def encode_preview(image: Image.Image) -> str:
    """Encode a live preview as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _png(image: Image.Image, text: str, level: int = 6) -> bytes:
    buffer = io.BytesIO()
    chunks = PngImagePlugin.PngInfo()
    if text:
        chunks.add_text("parameters", text)
    image.save(buffer, format="PNG", pnginfo=chunks, compress_level=level)
    return buffer.getvalue()


def _exif_with(text: str) -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(EXIF_DIRECTORY_TAG)[USER_COMMENT_TAG] = b"UNICODE\0" + text.encode("utf-16-be")
    return exif


def _download(url: str, options: Options) -> Image.Image:
    if not options["api_enable_requests"]:
        raise HTTPException(500, "Requests not allowed")
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_local = host in ("127.0.0.1", "localhost", "::1")
    if options["api_forbid_local_requests"] and (is_local or ":" in parts.netloc):
        raise HTTPException(500, "Request to local resource not allowed")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        if not is_local:  # the fake sends no packet off this machine
            raise urllib.error.URLError("Name or service not known")
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_SECONDS) as response:
            content = response.read()
    except OSError as error:
        text = (
            f"HTTPConnectionPool(host={host!r}, port={port}): Max retries exceeded with url: {parts.path} "
            f"(Caused by NewConnectionError({error}))"
        )
        raise Failure("ConnectionError", text) from None
    try:
        return Image.open(io.BytesIO(content))
    except (UnidentifiedImageError, OSError):
        raise HTTPException(500, "Invalid image url") from None
