"""The folders of a ComfyUI: models, inputs, outputs and temporary files."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from local.fakes.comfyui.settings import Settings

MODEL_FOLDERS: Final = {
    "checkpoints": ("checkpoints",),
    "configs": ("configs",),
    "loras": ("loras",),
    "vae": ("vae",),
    "text_encoders": ("text_encoders", "clip"),
    "diffusion_models": ("unet", "diffusion_models"),
    "clip_vision": ("clip_vision",),
    "style_models": ("style_models",),
    "embeddings": ("embeddings",),
    "diffusers": ("diffusers",),
    "vae_approx": ("vae_approx",),
    "controlnet": ("controlnet", "t2i_adapter"),
    "gligen": ("gligen",),
    "upscale_models": ("upscale_models",),
    "latent_upscale_models": ("latent_upscale_models",),
    "custom_nodes": (),
    "hypernetworks": ("hypernetworks",),
    "photomaker": ("photomaker",),
    "classifiers": ("classifiers",),
    "model_patches": ("model_patches",),
    "audio_encoders": ("audio_encoders",),
    "background_removal": ("background_removal",),
    "frame_interpolation": ("frame_interpolation",),
    "geometry_estimation": ("geometry_estimation",),
    "optical_flow": ("optical_flow",),
    "detection": ("detection",),
}
"""The names of `/models`, and the folders in which each looks."""

OUTPUT_MODELS: Final = {
    "checkpoints": "checkpoints",
    "loras": "loras",
    "vae": "vae",
    "diffusion_models": "diffusion_models",
    "text_encoders": "clip",
}
"""Folders of the output folder in which models are also looked for."""

MODEL_ENDINGS: Final = (".safetensors", ".ckpt", ".pt", ".pt2", ".bin", ".pth", ".pkl", ".sft")


class Folders:
    """Lists models and finds the files that workflows name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.by_type = {"input": settings.input, "output": settings.output, "temp": settings.temp}
        self._seen: set[Path] = set()
        for folder in self.by_type.values():
            folder.mkdir(parents=True, exist_ok=True)

    def search(self, name: str) -> list[Path]:
        """Return the folders in which models of a kind are looked for."""
        found = [self._settings.models / one for one in MODEL_FOLDERS[name]]
        if name in OUTPUT_MODELS:
            found.append(self._settings.output / OUTPUT_MODELS[name])
        return found

    def models(self, name: str) -> list[str]:
        """Return the names of the models of a kind; raise OSError if a folder of it has been removed."""
        names: set[str] = set()
        for folder in self.search(name):
            if folder.is_dir():
                self._seen.add(folder)
            elif folder in self._seen:
                raise FileNotFoundError(2, "No such file or directory", str(folder))
            names.update(_files_below(folder))
        endings = ("",) if name in ("configs", "diffusers") else MODEL_ENDINGS
        return sorted(one for one in names if one.endswith(endings))

    def model(self, kind: str, name: str) -> Path:
        """Return the file of a model; the first folder that has it wins."""
        for folder in self.search(kind):
            if (folder / name).is_file():
                return folder / name
        raise FileNotFoundError(f"Model in folder '{kind}' with filename '{name}' not found.")

    def inputs(self) -> list[str]:
        """Return the files at the top of the input folder."""
        return sorted(one.name for one in self._settings.input.iterdir() if one.is_file())

    def annotated(self, name: str) -> tuple[str, Path]:
        """Return the path of a file input and its folder; ` [output]` and the like name another folder.

        As recorded, nothing keeps the path inside its folder.
        """
        folder = self._settings.input
        for kind, one in self.by_type.items():
            if name.endswith(f"[{kind}]"):
                folder, name = one, name[: -len(kind) - 3]
                break
        return os.path.join(folder, name), folder  # noqa: PTH118 -- ComfyUI keeps the end of "input/"


def _files_below(folder: Path) -> Iterator[str]:
    for path, _, files in os.walk(folder, followlinks=True):
        for file in files:
            yield (Path(path) / file).relative_to(folder).as_posix()
