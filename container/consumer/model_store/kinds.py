"""The kinds of models: where their files lie, and by which names SD Web UI knows them.

The folders are those of AUTOMATIC1111's `models`, with `embeddings` beside them; the bucket has the same.
"""

import re
from collections.abc import Iterable
from enum import Enum
from pathlib import PurePosixPath
from typing import Final

CHECKPOINT_FOLDER: Final = "Stable-diffusion"

START_FOLDERS: Final = ("ESRGAN", "RealESRGAN", "SwinIR", "GFPGAN", "Codeformer", "embeddings")
"""What SD Web UI reads only when it starts, and small: fetched before, unless the settings say otherwise."""

_TENSORS: Final = frozenset({".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".sft", ".onnx"})

_WITH_HASH: Final = re.compile(r"(?P<name>.+) \[(?P<hash>[0-9a-f]{8}|[0-9a-f]{10})\]", re.DOTALL)
_BARE_HASH: Final = re.compile(r"[0-9a-f]{8}|[0-9a-f]{10}|[0-9a-f]{64}")


class Kind(Enum):
    """Say what a model is for. The value is how an error calls it."""

    CHECKPOINT = "checkpoint"
    LORA = "LoRA"
    HYPERNETWORK = "hypernetwork"
    VAE = "VAE"
    MODULE = "VAE or text encoder"
    CONTROLNET = "ControlNet model"
    UPSCALER = "upscaler"
    EMBEDDING = "embedding"
    FACE_RESTORER = "face restorer"

    @property
    def folders(self) -> tuple[str, ...]:
        """Return the folders that are searched, the likeliest first."""
        return _FOLDERS[self]

    def takes(self, folder: str, name: str) -> bool:
        """Tell whether a file of a folder is a model of this kind; `name` is relative to the folder."""
        path = PurePosixPath(name)
        if path.suffix.lower() not in _TENSORS:
            return False
        beside = path.stem.endswith(".vae")  # a VAE may lie beside its checkpoint: name.vae.pt
        if folder == CHECKPOINT_FOLDER:
            return beside if self in (Kind.VAE, Kind.MODULE) else not beside
        return True


_FOLDERS: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.CHECKPOINT: (CHECKPOINT_FOLDER,),
    Kind.LORA: ("Lora", "LyCORIS"),
    Kind.HYPERNETWORK: ("hypernetworks",),
    Kind.VAE: ("VAE", CHECKPOINT_FOLDER),
    Kind.MODULE: ("VAE", "text_encoder", CHECKPOINT_FOLDER),
    Kind.CONTROLNET: ("ControlNet",),
    Kind.UPSCALER: ("ESRGAN", "RealESRGAN", "SwinIR", "DAT", "ScuNET", "LDSR"),
    Kind.EMBEDDING: ("embeddings",),
    Kind.FACE_RESTORER: ("GFPGAN", "Codeformer"),
}

KNOWN_FOLDERS: Final = tuple(dict.fromkeys(folder for folders in _FOLDERS.values() for folder in folders))


def shown(kind: Kind, name: str) -> str:
    """Return the name under which a task asks for a file best."""
    path = PurePosixPath(name)
    if kind is Kind.CHECKPOINT:
        return name
    return path.name if kind in (Kind.VAE, Kind.MODULE) else path.stem


def aliases(kind: Kind, name: str) -> tuple[str, ...]:
    """Return the exact, case-sensitive names of a file, the most telling first.

    A checkpoint's are those of the recordings (`41-checkpoint-name-matching-post-options`): `sub/name.ext`,
    `sub_name`, `name`, not `name.ext` of a file in a folder. A LoRA's, hypernetwork's and embedding's is the
    stem alone, a VAE's the file name, as Web UI looks them up.
    """
    path = PurePosixPath(name)
    if kind is Kind.CHECKPOINT:
        return (name, str(path.with_suffix("")).replace("/", "_"), path.stem)
    if kind in (Kind.LORA, Kind.HYPERNETWORK, Kind.EMBEDDING):
        return (path.stem,)
    if kind in (Kind.VAE, Kind.MODULE):
        return (path.name,)
    return (path.stem, path.name)


def split_hash(kind: Kind, name: str) -> tuple[str, str] | None:
    """Split `name [hash]` of a checkpoint or ControlNet model, else return None.

    The hash is the sha256's first ten digits, or the eight of early Web UIs (only after `name.ext`).
    """
    match = _WITH_HASH.fullmatch(name)
    if match is None or kind not in (Kind.CHECKPOINT, Kind.CONTROLNET):
        return None
    return match["name"], match["hash"]


def is_hash(name: str) -> bool:
    """Tell whether a checkpoint is named by its hash alone."""
    return _BARE_HASH.fullmatch(name) is not None


def best(names: Iterable[str]) -> list[str]:
    """Drop a file where the same path exists as safetensors: both carry the same model."""
    listed = sorted(names)
    safe = {str(PurePosixPath(n).with_suffix("")) for n in listed if n.endswith(".safetensors")}
    return [
        n for n in listed if n.endswith(".safetensors") or str(PurePosixPath(n).with_suffix("")) not in safe
    ]
