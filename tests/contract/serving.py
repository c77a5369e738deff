"""A fake in this process behind a real socket, and what its answers hold."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from local.fakes.sdwebui.parts import Parts
from tests.contract.recorded import recording
from tests.contract.replay import Replay, quick, replaying

REFERENCE = recording("20-img2img-basic")["request"]["json"]["init_images"][0]


@contextmanager
def server(**settings: Any) -> Iterator[Replay]:
    """Run a fake in this process."""
    with replaying(Parts.make, quick(**settings)) as replay:
        yield replay


def opened(image: str) -> Image.Image:
    """Open an image of an answer."""
    return Image.open(io.BytesIO(base64.b64decode(image)))
