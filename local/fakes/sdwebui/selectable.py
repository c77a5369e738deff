"""Selectable scripts that make images of their own: loopback and SD upscale, as recorded."""

import math
from typing import Any

from fastapi import HTTPException
from PIL import Image

from local.fakes.sdwebui.answers import recorded
from local.fakes.sdwebui.errors import Failure

LOOPBACK = "loopback"
SD_UPSCALE = "sd upscale"


def loops(args: list[Any]) -> int:
    """Return how many pictures loopback makes after each other."""
    return max(1, int(args[0])) if args else 1


class Tiles:
    """SD upscale: the enlarged reference, painted tile by tile, each with the next seed."""

    def __init__(self, args: list[Any], size: tuple[int, int], source: Image.Image) -> None:
        try:
            _, overlap, upscaler, factor = args
        except ValueError:
            raise Failure("TypeError", "run() missing required positional arguments") from None
        known = {one["name"].lower() for one in recorded("upscalers")}
        if str(upscaler).lower() not in known:
            raise HTTPException(422, f"Invalid upscaler index: {upscaler}")
        self.size = (int(source.width * factor), int(source.height * factor))
        width, height = size
        if width - int(overlap) == 0 or height - int(overlap) == 0:
            raise Failure("ZeroDivisionError", "division by zero")
        columns = math.ceil((self.size[0] - overlap) / (width - overlap))
        rows = math.ceil((self.size[1] - overlap) / (height - overlap))
        self.count = max(1, columns) * max(1, rows)
        self.described = {"SD upscale overlap": overlap, "SD upscale upscaler": upscaler}
