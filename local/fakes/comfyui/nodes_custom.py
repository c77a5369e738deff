"""The custom nodes of the recorded server, which do what custom nodes must be expected to do."""

import os
import time
from collections.abc import Callable
from typing import Final

from local.fakes import media
from local.fakes.comfyui.errors import NodeFailed, WorkerDied
from local.fakes.comfyui.execution_context import CRASH_STATUS, Context, Result
from local.fakes.comfyui.faults import KINDS
from local.fakes.comfyui.values import Pictures

RAISED: Final = {"oom": "out-of-memory", "oom2": "cuda-memory", "cuda": "cuda", "hugealloc": "host-memory"}
POLL_SECONDS: Final = 0.05


def raise_error(context: Context, image: Pictures, kind: str) -> Result:
    """Raise an exception, or end the thread or the process."""
    if kind == "exit":
        raise WorkerDied
    if kind == "kill":
        os._exit(CRASH_STATUS)
    raise NodeFailed(*KINDS[RAISED.get(kind, "node")])


def sleep(context: Context, image: Pictures, seconds: float, check: bool) -> Result:  # noqa: FBT001 -- the node's input
    """Wait, and look at interrupts only if `check` says so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        if check:
            context.interrupt.check()
    return Result((image,))


def gifs(context: Context, image: Pictures) -> Result:
    """Report a video under `gifs`, as the video nodes of others do."""
    path = context.settings.output / "h_0001.mp4"
    path.write_bytes(media.mp4(*image[0].image.size, len(image)))
    item = {"filename": "h_0001.mp4", "subfolder": "", "type": "output", "format": "video/h264-mp4"}
    item |= {"frame_rate": 8.0, "workflow": "h_0001.png", "fullpath": str(path)}  # type: ignore[dict-item]
    return Result((), {"gifs": [item]})


def outside(context: Context, image: Pictures) -> Result:
    """Report a file outside the output folder."""
    item = {"filename": "../../etc/hostname", "subfolder": "../..", "type": "output"}
    return Result((), {"images": [item], "a": [1, 2], "text": ["hello"], "b": ["tuple"]})


def bad_message(context: Context, image: Pictures) -> Result:
    """Report something that is not JSON."""
    return Result((), {"thing": [image]})


NODES: Final[dict[str, Callable[..., Result]]] = {
    "HRaise": raise_error,
    "HSleep": sleep,
    "HGifs": gifs,
    "HAbs": outside,
    "HBadUI": bad_message,
}
