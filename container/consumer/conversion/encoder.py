"""The process that decodes and encodes images, apart from the consumer.

It reads requests from its standard input and writes a response for each to its standard output, until the
input ends. A request is the length and the JSON text of the options, then the length and the bytes of an
image; a response is the same with the result, and repeats the number of its request. Only this process
imports an image library: it has a limit on its memory, and neither credentials nor rights that the consumer
needs.
"""

import json
import os
import resource
import sys
from io import BytesIO
from typing import Any, BinaryIO, Final

from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from container.consumer.conversion.exif import EXIF_IFD, MAKE, MODEL, UNICODE, USER_COMMENT, exif_bytes

INFOTEXT: Final = "parameters"
"""The text chunk of a PNG that contains the infotext; in other formats it is `UserComment`."""
POSTPROCESSING: Final = "postprocessing"
"""The text chunk that contains it in the images of AUTOMATIC1111's extras."""
COMFYUI_TAGS: Final = {"prompt": MODEL, "workflow": MAKE}
"""The text chunks of a PNG into which ComfyUI writes, and the EXIF tags that it uses in a WebP."""

MAX_JPEG_EXIF_BYTES: Final = 65_533
MAX_SIDES: Final = {"jpeg": 65_500, "webp": 16_383}
MAX_NAMES: Final = 10
"""How many of the texts that are left out are named."""
MODES: Final = frozenset({"1", "L", "LA", "RGB", "RGBA"})
"""Pillow's modes that are encoded as they are."""


class NotConvertible(Exception):
    """An image cannot be converted; the text says why."""


def main() -> None:
    """Serve requests until standard input ends."""
    memory_bytes, max_pixels = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)  # what prepares and reads jobs goes first
    Image.MAX_IMAGE_PIXELS = None  # `convert` checks the size before anything is decoded
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while header := read_block(source):
        options = json.loads(header)
        image = read_block(source)
        try:
            encoded, notes = convert(image, options, max_pixels)
            answer: dict[str, Any] = {"notes": notes}
        except NotConvertible as error:
            encoded, answer = b"", {"error": str(error)}
        except MemoryError:
            encoded, answer = b"", {"error": "converting it needs too much memory"}
        except Exception as error:  # noqa: BLE001 - image libraries raise any of many kinds for a broken file
            encoded, answer = b"", {"error": f"it cannot be decoded or encoded ({type(error).__name__})"}
        answer["request"] = options["request"]
        write_block(target, json.dumps(answer).encode())
        write_block(target, encoded)
        target.flush()


def read_block(stream: BinaryIO) -> bytes:
    """Return the next block; b"" at the end of the stream."""
    size = stream.read(8)
    return stream.read(int.from_bytes(size, "big")) if len(size) == 8 else b""


def write_block(stream: BinaryIO, block: bytes) -> None:
    """Write a block that `read_block` can read."""
    stream.write(len(block).to_bytes(8, "big"))
    stream.write(block)


def convert(data: bytes, options: dict[str, Any], max_pixels: int) -> tuple[bytes, list[str]]:
    """Return an image in another format, and what of it could not be kept."""
    format_ = options["format"]
    image: Image.Image = Image.open(BytesIO(data), formats=[options["source"]])
    if getattr(image, "n_frames", 1) > 1:
        raise NotConvertible("it is an animation")
    if image.width * image.height > max_pixels:
        raise NotConvertible(f"it has more than {max_pixels} pixels")
    if max(image.size) > MAX_SIDES.get(format_, sys.maxsize):
        raise NotConvertible(f"{format_} allows at most {MAX_SIDES[format_]} pixels on each side")
    image.load()  # a PNG may have texts behind its pixels
    texts, profile = _texts(image), image.info.get("icc_profile")
    notes: list[str] = []
    if not options["strip"]:
        _note_left_out(image, texts, format_, notes)
    ImageOps.exif_transpose(image, in_place=True)
    image = _in_eight_bits(image)
    if format_ == "jpeg":
        image = _without_alpha(image, notes)
    image.info.clear()  # an encoder must write only what is passed to it
    arguments = _profile(profile, image.mode, format_, notes)
    if format_ != "png":
        arguments["quality"] = options["quality"]
    if not options["strip"]:
        arguments |= _metadata(format_, texts, notes)
    encoded = BytesIO()
    image.save(encoded, format_, **arguments)
    return encoded.getvalue(), notes


def _texts(image: Image.Image) -> dict[str, str]:
    """Return the texts of engines in an image, by their names in a PNG."""
    names = (INFOTEXT, *COMFYUI_TAGS)
    texts = {name: str(image.info[name]) for name in names if isinstance(image.info.get(name), str)}
    exif = image.getexif()
    comment = exif.get_ifd(EXIF_IFD).get(USER_COMMENT)
    if isinstance(comment, bytes) and comment.startswith(UNICODE):
        texts.setdefault(INFOTEXT, comment.removeprefix(UNICODE).decode("utf-16-be", "replace"))
    for name, tag in COMFYUI_TAGS.items():
        value = exif.get(tag)
        if isinstance(value, str) and value.startswith(f"{name}:"):
            texts.setdefault(name, value.removeprefix(f"{name}:"))
    if isinstance(text := image.info.get(POSTPROCESSING), str):
        texts.setdefault(INFOTEXT, text)
    return texts


def _note_left_out(image: Image.Image, texts: dict[str, str], format_: str, notes: list[str]) -> None:
    """Note the texts of an image that another format has no place for."""
    png_texts: dict[str, str] = dict(getattr(image, "text", {}))
    names = [name for name, text in png_texts.items() if text not in texts.values()]
    names += [name for name in ("comment", "xmp") if image.info.get(name) and name not in png_texts]
    if "XML:com.adobe.xmp" in names:
        names.remove("xmp")
    if names:
        listed = ", ".join(name[:40] for name in names[:MAX_NAMES])
        more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
        notes.append(f"the metadata {listed}{more} were left out: {format_.upper()} has no place for them")


def _profile(profile: Any, mode: str, format_: str, notes: list[str]) -> dict[str, Any]:
    """Return the arguments with which an encoder writes a color profile, if it is one of the new colors."""
    if not profile:
        return {}
    is_gray = mode in {"1", "L", "LA"} and format_ != "webp"  # which has no gray
    space = bytes(profile[16:20])
    if space == (b"GRAY" if is_gray else b"RGB "):
        return {"icc_profile": profile}
    name = space.decode("ascii", "replace").strip()
    notes.append(f"its color profile for {name} was left out, because its colors were converted")
    return {}


def _metadata(format_: str, texts: dict[str, str], notes: list[str]) -> dict[str, Any]:
    """Return the arguments with which an encoder writes the texts where their tools look for them."""
    if format_ == "png":
        info = PngInfo()
        for name, text in texts.items():
            info.add_text(name, text)
        return {"pnginfo": info}
    tags = {tag: f"{name}:{texts[name]}" for name, tag in COMFYUI_TAGS.items() if name in texts}
    written = exif_bytes(texts.get(INFOTEXT), tags)
    if format_ == "jpeg" and len(written) > MAX_JPEG_EXIF_BYTES:
        notes.append("its metadata are longer than a JPEG can have, so they were left out")
        return {}
    return {"exif": written} if written else {}


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Return an image in a mode that is encoded as it is."""
    if "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode.startswith("I"):
        return image.point(lambda value: value / 256).convert("L")  # from 16 bits
    return image if image.mode in MODES else image.convert("RGBA" if image.mode == "PA" else "RGB")


def _without_alpha(image: Image.Image, notes: list[str]) -> Image.Image:
    """Return an image in colors that JPEG has, on white where it is transparent."""
    if not image.has_transparency_data:
        return image.convert("RGB" if image.mode == "RGB" else "L")
    colored = image.convert("RGBA")
    alpha = colored.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return colored.convert("RGB")
    notes.append("JPEG has no transparency, so it was put on white")
    flat = Image.new("RGB", colored.size, "white")
    flat.paste(colored, mask=alpha)
    return flat


if __name__ == "__main__":
    main()
