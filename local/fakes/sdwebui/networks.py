"""LoRAs: which a Web UI knows, by which names, and what stays loaded after a job."""

import json
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.fakes.sdwebui.models import digest

LORA_DIR = "Lora"
TAG = re.compile(r"<(?:lora|lyco):([^:<>]+)(?::([^<>]*))?>")
HEADER_LIMIT = 1 << 24
FORBIDDEN = frozenset({"none", "addams"})
"""Aliases that Web UI never takes, whatever files there are."""


@dataclass(frozen=True)
class Network:
    """One LoRA file, as of the last refresh."""

    name: str
    alias: str
    path: Path
    metadata: dict[str, Any]

    def listed(self) -> dict[str, Any]:
        """Return its entry in `/loras`."""
        return {"name": self.name, "alias": self.alias, "path": str(self.path), "metadata": self.metadata}


class Networks:
    """The LoRAs of a model directory as of the last refresh, and those that are loaded.

    As recorded, a job with `disable_extra_networks` neither loads nor unloads: it paints with what the job
    before had loaded. After such a job Web UI goes on painting with it until a job names a LoRA again, even
    one that does not exist, or the checkpoint changes: it keeps the encoding of prompts across jobs.
    """

    def __init__(self, model_dir: Path | None) -> None:
        self._folder = model_dir / LORA_DIR if model_dir else None
        self._by_name: dict[str, Network] = {}
        self._by_alias: dict[str, Network] = {}
        self._forbidden: set[str] = set()
        self._loaded: tuple[str, ...] = ()
        self._stuck = False
        self._model = ""
        self.refresh()

    def refresh(self) -> None:
        """Read the folder again; until then a new file does not exist."""
        self._by_name, self._by_alias, self._forbidden = {}, {}, set(FORBIDDEN)
        for path in _files(self._folder):
            metadata = read_metadata(path)
            alias = str(metadata.get("ss_output_name") or path.stem)
            network = Network(path.stem, alias, path.absolute(), metadata)
            if alias in self._by_alias:
                self._forbidden.add(alias.lower())
            self._by_name[network.name] = network
            self._by_alias[network.name] = network
            self._by_alias[alias] = network

    def listed(self) -> list[dict[str, Any]]:
        """Return what `/loras` answers."""
        return [network.listed() for network in self._by_name.values()]

    def find(self, name: str) -> Network | None:
        """Return the file that a prompt's tag means: by its stem, or by an alias that no other file has."""
        known = self._by_name if name.lower() in self._forbidden else self._by_alias
        return known.get(name)

    def apply(self, prompts: Iterable[str], *, disabled: bool, model: str) -> tuple[str, ...]:
        """Load what the prompts of a job name, as far as Web UI does; return what it paints with."""
        if model != self._model:
            self._model, self._loaded, self._stuck = model, (), False
        if disabled:
            self._stuck = bool(self._loaded)
            return self._loaded
        named = tuple(
            f"{found.path}:{weights or '1'}"
            for prompt in prompts
            for name, weights in TAG.findall(prompt)
            if (found := self.find(name))
        )
        tagged = any(TAG.search(prompt) for prompt in prompts)
        if tagged or not self._stuck:
            self._loaded, self._stuck = named, False
        return self._loaded

    def hashes(self, prompt: str) -> str:
        """Name the LoRAs of a prompt that were found, with a hash; one that is missing is only logged."""
        found = [(name, self.find(name)) for name, _ in TAG.findall(prompt)]
        return ", ".join(f"{name}: {digest(network.path)[:12]}" for name, network in found if network)


def without_tags(prompt: str) -> str:
    """Return a prompt as the text encoder sees it."""
    return TAG.sub("", prompt)


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the metadata in a safetensors header, nothing where there is no such header."""
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size)) if size <= HEADER_LIMIT else {}
    except (OSError, ValueError, struct.error):
        return {}
    found = header.get("__metadata__") if isinstance(header, dict) else None
    return found if isinstance(found, dict) else {}


def _files(folder: Path | None) -> list[Path]:
    return sorted(folder.rglob("*.safetensors")) if folder and folder.is_dir() else []
