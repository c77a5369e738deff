"""Draw cat.png, a picture for trying image-to-image: `python examples/draw_cat.py`."""

from pathlib import Path

from PIL import Image, ImageDraw

SIDE = 512
NIGHT, ORANGE, DARK, CREAM, GREEN, PINK = "#26304f", "#e08a3c", "#8a4b1c", "#f7e3c4", "#8fd18b", "#d9788a"


def cat() -> Image.Image:
    """Draw a cat's face, 512 by 512, in a few flat colours."""
    image = Image.new("RGB", (SIDE, SIDE), NIGHT)
    draw = ImageDraw.Draw(image)
    for outer, tip, inner in ((104, 92, 222), (408, 420, 290)):
        draw.polygon([(outer, 230), (tip, 60), (inner, 150)], fill=ORANGE, outline=DARK, width=6)
    draw.ellipse((86, 120, 426, 450), fill=ORANGE, outline=DARK, width=6)
    draw.ellipse((176, 300, 336, 430), fill=CREAM)
    for middle in (186, 326):
        draw.ellipse((middle - 38, 220, middle + 38, 290), fill=GREEN, outline=DARK, width=5)
        draw.ellipse((middle - 10, 224, middle + 10, 286), fill="black")
    draw.polygon([(236, 322), (276, 322), (256, 346)], fill=PINK)
    draw.arc((208, 330, 256, 384), 10, 160, fill=DARK, width=6)
    draw.arc((256, 330, 304, 384), 20, 170, fill=DARK, width=6)
    for y in (340, 362, 384):
        draw.line([(60, y - 24), (196, y)], fill=CREAM, width=4)
        draw.line([(452, y - 24), (316, y)], fill=CREAM, width=4)
    return image


if __name__ == "__main__":
    cat().quantize(16).save(Path(__file__).with_name("cat.png"), optimize=True)
