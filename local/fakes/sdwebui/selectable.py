"""The scripts loopback and SD upscale, which a request can select as `script_name`, as recorded."""

import math
from typing import Any

from fastapi import HTTPException
from PIL import Image

from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.recorded_responses import recorded_response

LOOPBACK = "loopback"
SD_UPSCALE = "sd upscale"
DEFAULT_LOOPS = (2, 0.5, "Linear")


class Loops:
    """Loopback: each picture continues from the previous one, with a strength that changes to a final one."""

    def __init__(self, args: list[Any]) -> None:
        values: list[Any] = [*args, *DEFAULT_LOOPS[len(args) :]]
        self.count = max(1, int(values[0]))
        self._final = float(values[1])
        self._curve = str(values[2])
        self.described = {"Final denoising strength": self._final, "Denoising curve": self._curve}

    def strength(self, first: float, loop: int) -> float:
        """Return the denoising strength of a loop, from 0 on."""
        if self.count == 1:
            return first
        fraction = loop / (self.count - 1)
        if self._curve == "Aggressive":
            fraction = math.sin(fraction * math.pi / 2)
        elif self._curve == "Lazy":
            fraction = 1 - math.cos(fraction * math.pi / 2)
        return first + (self._final - first) * fraction


class Tiles:
    """SD upscale: the enlarged reference is generated tile by tile, each with the next seed."""

    def __init__(self, args: list[Any], size: tuple[int, int], source: Image.Image) -> None:
        try:
            _, overlap, upscaler, factor = args
        except ValueError:
            raise Failure("TypeError", "run() missing required positional arguments") from None
        upscalers = {each["name"].lower() for each in recorded_response("upscalers")}
        if str(upscaler).lower() not in upscalers:
            raise HTTPException(422, f"Invalid upscaler index: {upscaler}")
        self.size = (int(source.width * factor), int(source.height * factor))
        width, height = size
        if width - int(overlap) == 0 or height - int(overlap) == 0:
            raise Failure("ZeroDivisionError", "division by zero")
        columns = math.ceil((self.size[0] - overlap) / (width - overlap))
        rows = math.ceil((self.size[1] - overlap) / (height - overlap))
        self.count = max(1, columns) * max(1, rows)
        self.described = {"SD upscale overlap": overlap, "SD upscale upscaler": upscaler}
