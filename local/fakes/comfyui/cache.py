"""The results of nodes that ComfyUI keeps, so that equal nodes do not run again."""

import hashlib
import json
from typing import Any

from local.fakes.comfyui.catalogue import FILE_LOADERS
from local.fakes.comfyui.execution_context import Result
from local.fakes.comfyui.folders import Folders
from local.fakes.comfyui.nodes_images import content_of
from local.fakes.comfyui.settings import Cache


class ResultCache:
    """Keeps the results of nodes by class and inputs, all the way up, but not by their ids."""

    def __init__(self, folders: Folders, kind: Cache) -> None:
        self._folders = folders
        self._kind = kind
        self._results: dict[str, Result] = {}

    def clear(self) -> None:
        """Forget everything, as POST /free with `free_memory` does."""
        self._results.clear()

    def keys(self, prompt: dict[str, Any], outputs: list[str]) -> dict[str, str]:
        """Return the keys of the nodes that outputs need, in the order of the prompt."""
        known: dict[str, str] = {}
        for name in outputs:
            self._key(prompt, name, known)
        return {name: known[name] for name in prompt if name in known}

    def keep_only(self, keys: dict[str, str]) -> None:
        """Drop what a prompt does not need, unless results of all prompts are kept.

        As recorded, this happens when the first node of a prompt has run.
        """
        if self._kind == "classic":
            needed = set(keys.values())
            self._results = {key: result for key, result in self._results.items() if key in needed}

    def get(self, key: str) -> Result | None:
        """Return a kept result."""
        return self._results.get(key)

    def put(self, key: str, result: Result) -> None:
        """Keep a result."""
        if self._kind != "none":
            self._results[key] = result

    def _key(self, prompt: dict[str, Any], name: str, known: dict[str, str]) -> str:
        if name in known:
            return known[name]
        node = prompt[name]
        inputs: dict[str, Any] = {}
        for one, value in sorted(node.get("inputs", {}).items()):
            if isinstance(value, list) and len(value) == 2 and value[0] in prompt:
                inputs[one] = [self._key(prompt, value[0], known), value[1]]
            else:
                inputs[one] = ["constant", repr(value)]
        reads = FILE_LOADERS.get(node["class_type"])
        changed = content_of(self._folders, str(node["inputs"].get(reads, ""))) if reads else ""
        text = json.dumps([node["class_type"], inputs, changed])
        known[name] = hashlib.sha256(text.encode()).hexdigest()
        return known[name]
