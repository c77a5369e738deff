"""LoRAs: the names by which prompts can use them, and which ones stay loaded after a job."""

import json
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.fakes.sdwebui.models import digest

LORA_DIR = "Lora"
TAG = re.compile(r"<(lora|lyco):([^:<>]+)(?::([^<>]*))?>")
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)\s*")
MAX_HEADER_BYTES = 1 << 24
REFUSED_ALIASES = frozenset({"none", "addams"})
"""Aliases that Web UI never accepts."""


@dataclass(frozen=True)
class Network:
    """A LoRA file, as of the last refresh."""

    name: str
    alias: str
    path: Path
    metadata: dict[str, Any]

    def list_entry(self) -> dict[str, Any]:
        """Return its entry in `/loras`."""
        return {"name": self.name, "alias": self.alias, "path": str(self.path), "metadata": self.metadata}


class Networks:
    """The LoRAs of a model directory as of the last refresh, and those that are loaded.

    As recorded, a job with `disable_extra_networks` neither loads nor unloads LoRAs: it uses those of the
    previous job. After such a job, every job without LoRAs is wrong (Forge still applies them, AUTOMATIC1111
    applies half of them), until a job names a LoRA or the checkpoint is changed or unloaded.
    """

    def __init__(self, model_dir: Path | None, *, is_forge: bool) -> None:
        self._folder = model_dir / LORA_DIR if model_dir else None
        self._is_forge = is_forge
        self._by_name: dict[str, Network] = {}
        self._by_alias: dict[str, Network] = {}
        self._refused_aliases: set[str] = set()
        self._loaded: tuple[str, ...] = ()
        self._is_stuck = False
        self._model = ""
        self.refresh()

    def refresh(self) -> None:
        """Read the folder again; new files are ignored until then."""
        self._by_name, self._by_alias, self._refused_aliases = {}, {}, set(REFUSED_ALIASES)
        for path in _files(self._folder):
            metadata = read_metadata(path)
            alias = str(metadata.get("ss_output_name") or path.stem)
            network = Network(path.stem, alias, path.absolute(), metadata)
            if alias in self._by_alias:
                self._refused_aliases.add(alias.lower())
            self._by_name[network.name] = network
            self._by_alias[network.name] = network
            self._by_alias[alias] = network

    def list_entries(self) -> list[dict[str, Any]]:
        """Return the response of `/loras`."""
        return [network.list_entry() for network in self._by_name.values()]

    def find(self, name: str) -> Network | None:
        """Return the file for a name in a prompt: its stem, or an alias that no other file has."""
        by_name = self._by_name if name.lower() in self._refused_aliases else self._by_alias
        return by_name.get(name)

    def apply(self, prompts: Iterable[str], *, disabled: bool, model: str) -> tuple[str, ...]:
        """Load the LoRAs in the prompts of a job, as far as Web UI does; return those that are applied."""
        if model != self._model:
            self.unload()
            self._model = model
        if disabled:
            self._is_stuck = bool(self._loaded)
            return self._loaded
        has_tag = any(TAG.search(prompt) for prompt in prompts)
        if self._is_stuck and not has_tag:
            return self._loaded if self._is_forge else tuple(f"half of {lora}" for lora in self._loaded)
        self._is_stuck = False
        self._loaded = tuple(
            f"{network.name}:{digest(network.path)}:{weights or '1'}"
            for prompt in prompts
            for kind, name, weights in TAG.findall(prompt)
            if (network := self._find_tagged(kind, name, weights))
        )
        return self._loaded

    def unload(self) -> None:
        """Unload all LoRAs, as unloading the checkpoint does."""
        self._loaded, self._is_stuck = (), False

    def hashes(self, prompt: str) -> str:
        """Return the LoRAs of a prompt that were found, with hashes; SD Web UI only logs missing ones."""
        networks = [(tag[1], self._find_tagged(*tag)) for tag in TAG.findall(prompt)]
        return ", ".join(f"{name}: {digest(network.path)[:12]}" for name, network in networks if network)

    def _find_tagged(self, kind: str, name: str, weights: str) -> Network | None:
        """Return the LoRA of a tag; Forge does not support `lyco`, and weights must be numbers."""
        are_numbers = all(NUMBER.fullmatch(weight) for weight in (weights or "1").split(":"))
        return self.find(name) if are_numbers and not (self._is_forge and kind == "lyco") else None


def remove_tags(prompt: str) -> str:
    """Return a prompt without the tags of networks."""
    return TAG.sub("", prompt)


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the metadata in a safetensors header, or `{}` if there is no such header."""
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size)) if size <= MAX_HEADER_BYTES else {}
    except (OSError, ValueError, struct.error):
        return {}
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def _files(folder: Path | None) -> list[Path]:
    return sorted(folder.rglob("*.safetensors")) if folder and folder.is_dir() else []
