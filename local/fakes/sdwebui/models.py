"""The checkpoints that a Web UI lists, and the names by which they can be selected."""

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

BUILT_IN = (
    "v1-5-pruned-emaonly.safetensors",
    "other-random-v1-5.safetensors",
    "tiny-random-v1-5.safetensors",
)
BUILT_IN_DIR = "/fake/models/Stable-diffusion"
CHECKPOINT_DIR = "Stable-diffusion"
OTHER_MODEL_DIRS = frozenset(
    {
        "Lora",
        "VAE",
        "ControlNet",
        "embeddings",
        "ESRGAN",
        "RealESRGAN",
        "SwinIR",
        "GFPGAN",
        "Codeformer",
        "hypernetworks",
        "text_encoder",
    }
)
OLD_HASH_OFFSET, OLD_HASH_BYTES = (
    0x100000,
    0x10000,
)  # the part of a file that the 8-digit hash of early versions covers


@dataclass(eq=False)
class Checkpoint:
    """A checkpoint; its `sha256` is None until it has been loaded once."""

    name: str
    path: Path | None
    sha256: str | None = None
    old_hash: str = field(init=False)

    def __post_init__(self) -> None:
        self.old_hash = hashlib.sha256(self._part(OLD_HASH_OFFSET, OLD_HASH_BYTES)).hexdigest()[:8]

    @property
    def short_hash(self) -> str | None:
        """Return the first ten digits of the hash."""
        return self.sha256[:10] if self.sha256 else None

    @property
    def stem(self) -> str:
        """Return the name without folder and extension, as in `info.sd_model_name`."""
        return PurePosixPath(self.name).stem

    @property
    def filename(self) -> str:
        """Return the full path of the file."""
        return str(self.path) if self.path else f"{BUILT_IN_DIR}/{self.name}"

    def compute_hash(self) -> None:
        """Compute the hash of the content, as the first load does."""
        if self.sha256 is None:
            self.sha256 = digest(self.path) if self.path else hashlib.sha256(self.name.encode()).hexdigest()

    def aliases(self) -> list[str]:
        """Return the names by which it can be selected, which are case-sensitive."""
        model_name = str(PurePosixPath(self.name).with_suffix("")).replace("/", "_")
        names = [self.old_hash, model_name, self.name, self.stem, f"{self.name} [{self.old_hash}]"]
        if self.sha256 and self.short_hash:
            short = self.short_hash
            names += [short, self.sha256, f"{self.name} [{short}]", f"{self.stem} [{short}]"]
        return names

    def list_entry(self) -> dict[str, Any]:
        """Return its entry in `/sd-models`."""
        return {
            "title": f"{self.name} [{self.short_hash}]" if self.sha256 else self.name,
            "model_name": str(PurePosixPath(self.name).with_suffix("")).replace("/", "_"),
            "hash": self.short_hash,
            "sha256": self.sha256,
            "filename": self.filename,
            "config": None,
        }

    def _part(self, offset: int, size: int) -> bytes:
        if self.path is None:
            return self.name.encode()
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(size)


class Checkpoints:
    """The checkpoints of a model directory as of the last refresh, and the selected one.

    `model_dir` is Web UI's `models` folder (checkpoints in `Stable-diffusion`) or a folder of checkpoints.
    """

    def __init__(self, model_dir: Path | None) -> None:
        self.model_dir = model_dir
        self.selected: Checkpoint | None = None
        self._lock = threading.Lock()
        self._all: list[Checkpoint] = []
        self._by_alias: dict[str, Checkpoint] = {}
        self._known_hashes: dict[tuple[str, int, int], str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the directory again; new files are ignored until then."""
        checkpoints = self._scan()
        with self._lock:
            self._all = checkpoints
            self._by_alias = {
                alias: checkpoint for checkpoint in checkpoints for alias in checkpoint.aliases()
            }

    def all(self) -> list[Checkpoint]:
        """Return the checkpoints in the listed order."""
        return list(self._all)

    def find(self, name: Any) -> Checkpoint | None:
        """Return the checkpoint with exactly this name, or None."""
        return self._by_alias.get(name) if isinstance(name, str) else None

    def select(self, name: Any) -> None:
        """Select the checkpoint for the next generation; an unknown name selects the first one."""
        self.selected = self.find(name) or next(iter(self._all), None)

    def register_hash(self, checkpoint: Checkpoint) -> None:
        """Compute a checkpoint's hash, which is then part of its title and of its names."""
        checkpoint.compute_hash()
        if checkpoint.path and checkpoint.sha256:
            self._known_hashes[_file_version(checkpoint.path)] = checkpoint.sha256
        with self._lock:
            self._by_alias.update(dict.fromkeys(checkpoint.aliases(), checkpoint))

    def _scan(self) -> list[Checkpoint]:
        if self.model_dir is None:
            return self._all or [Checkpoint(name, None) for name in BUILT_IN]
        subfolder = self.model_dir / CHECKPOINT_DIR
        root = subfolder if subfolder.is_dir() else self.model_dir
        checkpoints = []
        for folder in _folders(root):
            for path in sorted(folder.glob("*.safetensors")):
                name = path.relative_to(root).as_posix()
                try:
                    checkpoint = Checkpoint(name, path.absolute())
                    checkpoint.sha256 = self._known_hashes.get(_file_version(path))
                except FileNotFoundError:  # deleted while the folder was read
                    continue
                checkpoints.append(checkpoint)
        return checkpoints


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folders(root: Path) -> list[Path]:
    """Return a folder and its subfolders, except those for other kinds of models."""
    if not root.is_dir():
        return []
    children = [
        path for path in sorted(root.iterdir()) if path.is_dir() and path.name not in OTHER_MODEL_DIRS
    ]
    return [root] + [folder for child in children for folder in _folders(child)]


def _file_version(path: Path) -> tuple[str, int, int]:
    stat = path.stat()
    return str(path.absolute()), stat.st_size, stat.st_mtime_ns
