"""Start the fake as a process, and call its /fake routes."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from local.fakes.sdwebui.checkpoint_file import write_checkpoint
from local.fakes.sdwebui.process import Control
from local.process import Process, ProcessFailed

READY, BOOTING = "fake ready", "fake boots"
START_SECONDS: Final = 60.0  # usually under 2 s, but imports are slow on a busy machine
STOP_SECONDS: Final = 10.0
ROOT: Final = Path(__file__).parents[3]
FOLDERS: Final = ("models", "input", "output", "temp")


class FakeComfyUiError(RuntimeError):
    """The fake did not start."""


class FakeComfyUi:
    """A running fake ComfyUI with its `url`, its `control`, its folders and its process."""

    def __init__(self, process: Process, url: str, control: str, folders: dict[str, Path]) -> None:
        self.process = process
        self.url = url
        self.control = Control(control)
        self.folders = folders

    @property
    def port(self) -> int:
        """Return its port, with which another one can be started in its place."""
        return int(self.url.rsplit(":", 1)[1])

    def stop(self) -> int:
        """Stop it as ECS does (SIGTERM, then SIGKILL); return the exit status."""
        return self.process.stop()

    def kill(self) -> int:
        """Kill it; return the exit status."""
        return self.process.kill()


def start(*, port: int = 0, **settings: Any) -> FakeComfyUi:
    """Start a fake and wait until it accepts connections, or with `boot_seconds` until it starts to boot.

    `settings` are the command line's options; `models`, `input`, `output` and `temp` are needed. Raise
    FakeComfyUiError when it does not start.
    """
    # The fake needs no AWS account, so it gets no variables that name one.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = Process(
        "fake ComfyUI",
        [sys.executable, "-m", "local.fakes.comfyui", "--port", str(port), *_flags(settings)],
        environment=inherited | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        cwd=str(ROOT),
        stop_seconds=STOP_SECONDS,
    )
    try:
        sign = BOOTING if settings.get("boot_seconds") else READY
        line = process.wait_for_line(sign, timeout=START_SECONDS)
    except ProcessFailed as failed:
        process.kill()
        raise FakeComfyUiError(str(failed)) from None
    facts = dict(part.split("=", 1) for part in line.split() if "=" in part)
    folders = {name: Path(settings[name]) for name in FOLDERS}
    return FakeComfyUi(process, facts["url"], facts["control"], folders)


@contextmanager
def running(*, port: int = 0, **settings: Any) -> Iterator[FakeComfyUi]:
    """Run a fake ComfyUI until the block ends; settings as for `start`.

    Folders that are not given are temporary, and a models folder that is not given has a few small models.
    """
    with tempfile.TemporaryDirectory(prefix="fake-comfyui-") as base:
        for name in FOLDERS:
            settings.setdefault(name, Path(base) / name)
        if Path(settings["models"]).is_relative_to(base):
            write_models(Path(settings["models"]))
        fake = start(port=port, **settings)
        try:
            yield fake
        finally:
            fake.stop()


def write_models(folder: Path) -> None:
    """Write a small model of each kind."""
    for name in (
        "checkpoints/v1-5-pruned-emaonly.safetensors",
        "checkpoints/sd_xl_base_1.0.safetensors",
        "loras/example-lora.safetensors",
        "vae/example-vae.safetensors",
        "controlnet/control_v11p_sd15_canny.safetensors",
        "upscale_models/example-x2.safetensors",
        "embeddings/example-embedding.safetensors",
    ):
        write_checkpoint(folder / name, name.encode())


def _flags(settings: dict[str, Any]) -> list[str]:
    flags = []
    for name, value in settings.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            flags.append(flag)
        elif value is False:
            flags.append(f"--no-{flag[2:]}")
        elif value is not None:
            for one in value if isinstance(value, list | tuple) else [value]:
                flags += [flag, str(one)]
    return flags


__all__ = [
    "Control",
    "FakeComfyUi",
    "FakeComfyUiError",
    "running",
    "start",
    "write_checkpoint",
    "write_models",
]
