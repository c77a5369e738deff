"""Start the fake as a process."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from local.fakes.model_file import write_checkpoint
from local.fakes.process import FakeServer, flags_of, start_process
from local.process import Process

__all__ = ["FakeComfyUi", "running", "start", "write_checkpoint", "write_models"]

FOLDERS: Final = ("models", "input", "output", "temp")


class FakeComfyUi(FakeServer):
    """A running fake ComfyUI and its folders."""

    def __init__(self, process: Process, url: str, control: str, folders: dict[str, Path]) -> None:
        super().__init__(process, url, control)
        self.folders = folders
        if folders["input"].parent == folders["output"].parent == folders["temp"].parent:
            self.options = {"files_dir": str(folders["input"].parent)}


def start(*, port: int = 0, **settings: Any) -> FakeComfyUi:
    """Start a fake and wait until it accepts connections, or with `boot_seconds` until it starts to boot.

    `settings` are the command line's options, and the folders `models`, `input`, `output` and `temp`, which
    are needed; the name of the last one must be `temp`. Raise `local.fakes.process.FakeError` when it does
    not start.
    """
    folders = {name: Path(settings.pop(name)) for name in FOLDERS}
    if folders["temp"].name != "temp":
        raise ValueError("ComfyUI calls its folder of temporary files temp")
    settings |= {
        "models": folders["models"],
        "input_directory": folders["input"],
        "output_directory": folders["output"],
        "temp_directory": folders["temp"].parent,
    }
    negative = {"metadata": "--no-metadata"}
    flags = ["--port", str(port), *flags_of(settings, negative=negative)]
    booting = bool(settings.get("boot_seconds"))
    process, url, control = start_process("fake ComfyUI", "local.fakes.comfyui", flags, booting=booting)
    return FakeComfyUi(process, url, control, folders)


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
