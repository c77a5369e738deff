"""Embeddings (textual inversion): which are listed, and which a job uses."""

import re
from pathlib import Path
from typing import Any

from local.fakes.sdwebui.models import digest

EMBEDDING_DIR = "embeddings"
SUFFIXES = frozenset({".safetensors", ".pt", ".bin"})


class Embeddings:
    """The embeddings of a model directory, which prompts name as plain words in any case.

    As recorded, Forge lists a new file after a refresh but applies it only after it has loaded another
    checkpoint; until then its name is an ordinary word. AUTOMATIC1111 applies it at once.
    """

    def __init__(self, model_dir: Path | None, *, is_forge: bool) -> None:
        self._folder = model_dir / EMBEDDING_DIR if model_dir else None
        self._is_forge = is_forge
        self._listed: dict[str, Path] = {}
        self._usable: dict[str, Path] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the folder again."""
        files = sorted(self._folder.rglob("*")) if self._folder and self._folder.is_dir() else []
        self._listed = {path.stem: path for path in files if path.suffix in SUFFIXES}
        if not self._is_forge:
            self.use_listed()

    def use_listed(self) -> None:
        """Use the listed embeddings from now on; called when a checkpoint was loaded."""
        self._usable = dict(self._listed)

    def list_response(self) -> dict[str, Any]:
        """Return the response of `/embeddings`."""
        entry = {"step": None, "sd_checkpoint": None, "sd_checkpoint_name": None, "shape": 768, "vectors": 1}
        return {"loaded": dict.fromkeys(self._listed, entry), "skipped": {}}

    def used_files(self, text: str) -> list[Path]:
        """Return the files that a prompt uses."""
        return [path for name, path in self._usable.items() if _has_word(text, name)]

    def infotext_values(self, text: str) -> dict[str, str]:
        """Return the values in the infotext for the embeddings of a prompt."""
        used = self.used_files(text)
        if not used:
            return {}
        if self._is_forge:
            return {"TI": ", ".join(path.stem for path in used)}
        return {"TI hashes": ", ".join(f"{path.stem}: {digest(path)[:12]}" for path in used)}


def _has_word(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None
