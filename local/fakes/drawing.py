"""Draw pictures that show what a request asks for; the same request always results in the same picture."""

import hashlib
import json
import math
import textwrap
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

BACKGROUND_FIELDS = 8  # color fields per side; smoothly enlarged, they are the background
NOISE_FIELDS = 16  # noise blocks per side of an unfinished picture


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything that determines a picture."""

    width: int
    height: int
    prompt: str
    negative_prompt: str
    seed: int
    steps: int
    cfg_scale: float | None
    sampler: str
    model: str
    extra: str = ""
    effects: tuple[str, ...] = ()  # not in the infotext: LoRAs, VAEs, tiling
    denoising: float | None = None
    reference: Image.Image | None = None
    mask: Image.Image | None = None
    hints: tuple[Image.Image, ...] = ()


def draw_picture(scene: Scene) -> Image.Image:
    """Draw the finished picture of a scene.

    It consists of colors that depend on the prompt. If there is a reference image, they are blended over it
    within the mask, with the denoising strength as opacity. ControlNet's images are pasted into the upper
    right corner.
    """
    size = (scene.width, scene.height)
    picture = _color_fields(scene, BACKGROUND_FIELDS).resize(size, Image.Resampling.BICUBIC)
    if scene.reference is not None:
        reference = scene.reference.resize(size)
        strength = min(1.0, max(0.0, scene.denoising if scene.denoising is not None else 0.75))
        picture = Image.blend(reference, picture, strength)
    for index, hint in enumerate(scene.hints):
        side = max(8, scene.width // 5)
        picture.paste(hint.resize((side, side)), (scene.width - side, index * side))
    _write_caption(picture, scene)
    if scene.reference is not None and scene.mask is not None:
        mask = scene.mask.convert("L").resize(size)
        picture = Image.composite(picture, scene.reference.resize(size), mask)
    return picture


def draw_unfinished(picture: Image.Image, scene: Scene, fraction: float) -> Image.Image:
    """Return a picture as it is after the given fraction of its steps (0 to 1), with noise."""
    noise = _color_fields(scene, NOISE_FIELDS).resize(picture.size, Image.Resampling.NEAREST)
    return Image.blend(noise, picture, fraction * 0.8)


def draw_preview(picture: Image.Image) -> Image.Image:
    """Return a live preview: a quarter of the size, with an alpha channel."""
    width, height = max(1, picture.width // 8), max(1, picture.height // 8)
    return picture.resize((width * 2, height * 2)).convert("RGBA")


def grid(pictures: list[Image.Image], rows: int, *, margin: int = 0) -> Image.Image:
    """Arrange pictures in rows, with a margin above for headings."""
    columns = math.ceil(len(pictures) / rows)
    width, height = pictures[0].size
    sheet = Image.new("RGB", (columns * width, rows * height + margin), "black")
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * width, index // columns * height + margin))
    return sheet


def grid_rows(count: int, n_rows: int, batch_size: int) -> int:
    """Return the number of rows of a grid: the option `n_rows`, the batch size for 0, a square for -1."""
    rows = n_rows if n_rows > 0 else batch_size if n_rows == 0 else round(math.sqrt(count))
    return max(1, min(rows, count))


def draw_frames(scene: Scene, frames: int) -> list[Image.Image]:
    """Draw the frames of an animation: the picture with a bar that moves across it."""
    picture = draw_picture(scene)
    images = []
    for frame in range(frames):
        still = picture.copy()
        left = frame * scene.width // frames
        box = (left, 0, left + max(1, scene.width // frames), max(2, scene.height // 16))
        ImageDraw.Draw(still).rectangle(box, fill="white")
        images.append(still)
    return images


def _color_fields(scene: Scene, side: int) -> Image.Image:
    """Draw color fields that depend on everything in the scene except its reference images."""
    values = [scene.prompt, scene.negative_prompt, scene.seed, scene.steps, str(scene.cfg_scale), scene.extra]
    key = json.dumps([*values, scene.sampler, scene.model, *scene.effects, side]).encode()
    blocks = (
        hashlib.sha256(key + bytes((number >> 8, number & 255))).digest()
        for number in range(side * side * 3 // 32 + 1)
    )
    return Image.frombytes("RGB", (side, side), b"".join(blocks)[: side * side * 3])


def _write_caption(picture: Image.Image, scene: Scene) -> None:
    """Write the request into the lower part of the picture."""
    size = max(8, scene.height // 28)
    font = ImageFont.load_default(size)
    columns = max(6, int(scene.width / (size * 0.55)))
    lines = textwrap.wrap(scene.prompt[:500], columns)[:6] or ["(no prompt)"]
    if scene.negative_prompt:
        lines += textwrap.wrap("without: " + scene.negative_prompt[:200], columns)[:2]
    lines.append(f"seed {scene.seed}  {scene.width}x{scene.height}  {scene.steps} steps")
    lines.append(scene.model)
    if scene.reference is not None:
        lines.append(f"from a reference image, strength {scene.denoising}")
    lines.append("fake: no diffusion model")
    line_height = round(size * 1.25)
    top = max(0, scene.height - line_height * len(lines) - size // 2)
    draw = ImageDraw.Draw(picture, "RGBA")
    draw.rectangle((0, top, scene.width, scene.height), fill=(0, 0, 0, 150))
    for number, line in enumerate(lines):
        draw.text((size // 2, top + number * line_height), line, fill=(255, 255, 255, 255), font=font)
