"""The kinds of models: their folders, their names in SD Web UI, and which file a name refers to.

The folders are those of AUTOMATIC1111's `models`, and `embeddings`; the bucket has the same folders.
"""

import difflib
import re
from collections.abc import Collection, Iterable
from enum import Enum
from pathlib import PurePosixPath
from typing import Any, Final

CHECKPOINT_FOLDER: Final = "Stable-diffusion"
UPSCALER_FOLDER: Final = "ESRGAN"
"""The first of the folders of upscalers."""

WILDCARDS_FOLDER: Final = "wildcards"
"""Folder of the texts from which the extension Dynamic Prompts fills in `__name__`."""

WILDCARDS_SETTING: Final = "wildcard_dir"
"""The setting by which the extension finds that folder."""

START_FOLDERS: Final = (
    "ESRGAN",
    "RealESRGAN",
    "SwinIR",
    "DAT",
    "ScuNET",
    "LDSR",
    "GFPGAN",
    "Codeformer",
    "embeddings",
    "hypernetworks",
    "adetailer",
    "VAE",
    "text_encoder",
    "ControlNet",
    WILDCARDS_FOLDER,
)
"""Folders that SD Web UI or Forge lists only when it starts; downloaded before, unless the settings
differ."""

STYLES_FILE: Final = "styles.csv"
"""Key of the styles in the model bucket, in the format that SD Web UI's page saves."""

_TENSORS: Final = frozenset({".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".sft", ".onnx"})

_WITH_HASH: Final = re.compile(r"(?P<name>.+) \[(?P<hash>[0-9a-f]{8}|[0-9a-f]{10})\]", re.DOTALL)
_BARE_HASH: Final = re.compile(r"[0-9a-f]{8}|[0-9a-f]{10}|[0-9a-f]{64}")

_MIN_SIMILARITY: Final = 0.7
_MIN_CONTAINED_LENGTH: Final = 4
"""From this length on, a name that is part of another one counts as its short form."""

_MAX_COMPARED: Final = 2000
"""Maximum number of compared names: each costs about 20 µs, and an error may take 40 ms."""

_PLACEHOLDERS: Final = frozenset({"", "none", "automatic", "auto"})
"""Entries of SD Web UI's lists that are not models."""


class Kind(Enum):
    """The purpose of a model; the value is its name in errors."""

    CHECKPOINT = "checkpoint"
    LORA = "LoRA"
    HYPERNETWORK = "hypernetwork"
    VAE = "VAE"
    MODULE = "VAE or text encoder"
    CONTROLNET = "ControlNet model"
    UPSCALER = "upscaler"
    EMBEDDING = "embedding"
    FACE_RESTORER = "face restorer"
    DETECTOR = "ADetailer model"

    @property
    def folders(self) -> tuple[str, ...]:
        """Return the folders to search, the likeliest first."""
        return _FOLDERS[self]

    def takes(self, folder: str, name: str) -> bool:
        """Return whether a file in a folder is a model of this kind; `name` is relative to the folder."""
        path = PurePosixPath(name)
        if path.suffix.lower() not in _TENSORS:
            return False
        # A VAE may be stored next to its checkpoint, as name.vae.pt.
        is_vae_of_checkpoint = path.stem.endswith(".vae")
        if folder == CHECKPOINT_FOLDER:
            return is_vae_of_checkpoint if self in (Kind.VAE, Kind.MODULE) else not is_vae_of_checkpoint
        return True

    def among(self, folder: str, names: Iterable[str]) -> list[str]:
        """Return which of the files in a folder are models of this kind."""
        return [name for name in names if self.takes(folder, name)]


_FOLDERS: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.CHECKPOINT: (CHECKPOINT_FOLDER,),
    Kind.LORA: ("Lora", "LyCORIS"),
    Kind.HYPERNETWORK: ("hypernetworks",),
    Kind.VAE: ("VAE", CHECKPOINT_FOLDER),
    Kind.MODULE: ("VAE", "text_encoder", CHECKPOINT_FOLDER),
    Kind.CONTROLNET: ("ControlNet",),
    Kind.UPSCALER: (UPSCALER_FOLDER, "RealESRGAN", "SwinIR", "DAT", "ScuNET", "LDSR"),
    Kind.EMBEDDING: ("embeddings",),
    Kind.FACE_RESTORER: ("GFPGAN", "Codeformer"),
    Kind.DETECTOR: ("adetailer",),
}

_BY_FILE_NAME: Final = frozenset({Kind.VAE, Kind.MODULE, Kind.DETECTOR})

KNOWN_FOLDERS: Final = tuple(dict.fromkeys(folder for folders in _FOLDERS.values() for folder in folders))


class AmbiguousName(Exception):
    """Several files in different folders match a name."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self.names = sorted(names)


def webui_name(kind: Kind, name: str) -> str:
    """Return the name of a file by which SD Web UI knows it too, for errors."""
    path = PurePosixPath(name)
    if kind is Kind.CHECKPOINT:
        return name
    return path.name if kind in _BY_FILE_NAME else path.stem


def aliases(kind: Kind, name: str) -> tuple[str, ...]:
    """Return the exact, case-sensitive names of a file, the most specific first.

    A checkpoint's are those of the recordings (`41-checkpoint-name-matching-post-options`): `sub/name.ext`,
    `sub_name`, `name`, but not `name.ext` for a file in a folder. SD Web UI looks up other kinds by their
    stem, and a VAE by its file name; a folder may precede the name, and is not sent.
    """
    path = PurePosixPath(name)
    stem = without_extension(name)
    if kind is Kind.CHECKPOINT:
        return (name, stem.replace("/", "_"), path.stem)
    if kind in (Kind.LORA, Kind.HYPERNETWORK, Kind.EMBEDDING):
        return (stem, path.stem)
    if kind in _BY_FILE_NAME:
        return (name, path.name)
    return (stem, name, path.stem, path.name)


def without_extension(name: str) -> str:
    """Return a file's name with its folder but without extension."""
    return name.removesuffix(PurePosixPath(name).suffix)


def split_hash(kind: Kind, name: str) -> tuple[str, str] | None:
    """Split `name [hash]` of a checkpoint or ControlNet model; return None if there is no hash.

    The hash is the first ten digits of the sha256, or the eight digits of early Web UIs (only after
    `name.ext`).
    """
    match = _WITH_HASH.fullmatch(name)
    if match is None or kind not in (Kind.CHECKPOINT, Kind.CONTROLNET):
        return None
    return match["name"], match["hash"]


def is_hash(name: str) -> bool:
    """Return whether a checkpoint is named by its hash alone."""
    return _BARE_HASH.fullmatch(name) is not None


def possible_readings(kind: Kind, name: str) -> list[tuple[str, str]]:
    r"""Return possible readings of a task's name, the likeliest first: a name, and its hash or "".

    The name as it is comes first, because a file's own name may end in brackets. A `\` from Windows is read
    as `/`.
    """
    if kind is Kind.MODULE:
        name = PurePosixPath(name.replace("\\", "/")).name  # Forge takes whole paths too
    readings = [(name, "")]
    if (split := split_hash(kind, name)) is not None:
        readings.append(split)
    return readings + [
        (reading.replace("\\", "/"), digits) for reading, digits in readings if "\\" in reading
    ]


def prefer_safetensors(names: Iterable[str]) -> list[str]:
    """Remove files of which the same path exists as safetensors, because both contain the same model."""
    ordered = sorted(names)
    with_safetensors = {without_extension(name) for name in ordered if name.endswith(".safetensors")}
    return [
        name
        for name in ordered
        if name.endswith(".safetensors") or without_extension(name) not in with_safetensors
    ]


def find_match(kind: Kind, wanted: str, names: Collection[str]) -> str | None:
    """Return which of `names` (relative to a folder) is exactly the model called `wanted`.

    Raise AmbiguousName if files in several folders match equally well, or if SD Web UI knows another file by
    that name.
    """
    if kind is Kind.CHECKPOINT and wanted in names:
        return wanted
    ranked: dict[int, list[str]] = {}
    for name in names:
        names_of_file = aliases(kind, name)
        if wanted in names_of_file:
            ranked.setdefault(names_of_file.index(wanted), []).append(name)
    if not ranked:
        return None
    matches = prefer_safetensors(ranked[min(ranked)])
    if kind is not Kind.CHECKPOINT:
        # A checkpoint is sent with its folder; of other kinds, SD Web UI knows one file by the short name.
        known_as = webui_name(kind, matches[0])
        matches = prefer_safetensors(
            {name for name in names if webui_name(kind, name) == known_as} | set(matches)
        )
    elif len(matches) > 1:
        # A file in the folder itself is preferred to one in a folder below.
        top = [name for name in matches if "/" not in name]
        matches = top if len(top) == 1 else matches
    if len(matches) > 1:
        raise AmbiguousName(matches)
    return matches[0]


def listed_name(entry: dict[str, Any]) -> str:
    """Return the name of an entry of `/sd-models`: its path below the folder, which is always accepted."""
    title, short = str(entry.get("title") or ""), entry.get("hash")
    return title.removesuffix(f" [{short}]") if short else title


def checkpoint_aliases(entry: dict[str, Any]) -> list[str]:
    """Return the names that SD Web UI accepts for an entry of `/sd-models` (recordings `41-*`).

    Hashes are among them only after the checkpoint was loaded once.
    """
    name, short = listed_name(entry), entry.get("hash")
    stem = PurePosixPath(name).stem
    names = [str(entry.get("title")), name, str(entry.get("model_name")), stem]
    if short:
        names += [str(short), f"{stem} [{short}]", str(entry.get("sha256"))]
    return list(dict.fromkeys(names))


def nearest_name(name: str, known_names: Iterable[str]) -> str | None:
    """Return the known name that is most similar to `name`, or None if none is similar.

    Stems without extension and hash are compared, because otherwise all `.safetensors` look similar.
    """
    by_stem: dict[str, str] = {}
    for known_name in known_names:
        if known_name.casefold() == name.casefold():
            return known_name
        stem = _comparable(known_name)
        if stem not in _PLACEHOLDERS and len(by_stem) < _MAX_COMPARED:
            by_stem.setdefault(stem, known_name)
    wanted = _comparable(name)
    if wanted in by_stem:
        return by_stem[wanted]
    close = difflib.get_close_matches(wanted, by_stem, n=1, cutoff=_MIN_SIMILARITY)
    if not close and len(wanted) >= _MIN_CONTAINED_LENGTH:
        containing = (
            stem
            for stem in by_stem
            if wanted in stem or (len(stem) >= _MIN_CONTAINED_LENGTH and stem in wanted)
        )
        close = sorted(containing, key=len)[:1]
    return by_stem[close[0]] if close else None


def _comparable(name: str) -> str:
    """Return the part of a name to compare: in lower case without folder, extension and hash."""
    with_hash = _WITH_HASH.fullmatch(name)
    name = with_hash["name"] if with_hash else name
    path = PurePosixPath(name.replace("\\", "/"))
    return (path.stem if path.suffix.lower() in _TENSORS else path.name).casefold()
