"""LoRAs: files in the model directory, used by naming them in a prompt."""

import re
from pathlib import Path
from typing import Any

from local.fakes.sdwebui.models import digest

LORA_DIR = "Lora"
NAMED = re.compile(r"<lora:([^:>]+)(?::[^>]*)?>")


def list_loras(model_dir: Path | None) -> list[dict[str, Any]]:
    """List the files of the `Lora` folder, as `/loras` does."""
    return [
        {"name": path.stem, "alias": path.stem, "path": str(path.absolute()), "metadata": {}}
        for path in _files(model_dir)
    ]


def lora_hashes(prompt: str, model_dir: Path | None) -> str:
    """Name the LoRAs of a prompt that were found, with a hash; one that is missing is only logged."""
    files = {path.stem: path for path in _files(model_dir)}
    found = [name for name in NAMED.findall(prompt) if name in files]
    return ", ".join(f"{name}: {digest(files[name])[:12]}" for name in found)


def _files(model_dir: Path | None) -> list[Path]:
    folder = model_dir / LORA_DIR if model_dir else None
    return sorted(folder.rglob("*.safetensors")) if folder and folder.is_dir() else []
