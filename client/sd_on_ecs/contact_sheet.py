"""Draw the images of a sweep on one sheet, each with what distinguishes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sd_on_ecs.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

SIDE: Final = 256
MARGIN: Final = 12
TEXT_SIZE: Final = 14
LINE: Final = 18
MAX_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """An image with its label; without a path, `note` says why there is none."""

    label: str
    path: Path | None
    note: str = ""


def require_pillow() -> None:
    """Raise `InputError` if no sheet could be drawn."""
    try:
        import PIL  # noqa: F401, PLC0415 -- optional
    except ImportError:
        raise InputError(
            "a contact sheet needs Pillow: pip install './client[images]' in a checkout, or use --no-sheet"
        ) from None


def draw_sheet(cells: Sequence[Cell], columns: int, path: Path) -> None:
    """Write a PNG with the images in rows of `columns`, each scaled down to a square and labelled."""
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 -- optional

    font = ImageFont.load_default(TEXT_SIZE)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    labels = [_wrapped(measure, cell.label, font)[:MAX_LINES] for cell in cells]
    rows = -(-len(cells) // columns)
    width, height = SIDE + MARGIN, SIDE + MARGIN + LINE * max(map(len, labels))
    sheet = Image.new("RGB", (columns * width + MARGIN, rows * height + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for index, cell in enumerate(cells):
        left, top = MARGIN + index % columns * width, MARGIN + index // columns * height
        picture = _thumbnail(cell.path) if cell.path else None
        if picture is None:
            draw.rectangle([left, top, left + SIDE, top + SIDE], outline="gray")
            note = "\n".join(_wrapped(draw, cell.note or "no image", font)[:MAX_LINES])
            draw.text((left + MARGIN, top + MARGIN), note, "firebrick", font)
        else:
            sheet.paste(picture, (left + (SIDE - picture.width) // 2, top + (SIDE - picture.height) // 2))
        draw.text((left, top + SIDE + 2), "\n".join(labels[index]), "black", font)
    sheet.save(path)


def _thumbnail(path: Path) -> "Image | None":
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 -- optional

    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except (OSError, UnidentifiedImageError):
        return None  # a video, for example
    picture.thumbnail((SIDE, SIDE))
    return picture


def _wrapped(draw: "ImageDraw", text: str, font: object) -> list[str]:
    """Return the text in lines that fit below an image."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and draw.textlength(longer, font) > SIDE:  # type: ignore[arg-type]
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
