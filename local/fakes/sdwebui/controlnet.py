"""ControlNet: which models a Web UI lists under which names, and whether a unit's name is found."""

import re
from pathlib import Path
from typing import Any

from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.models import digest

CONTROLNET_DIR = "ControlNet"
SUFFIXES = frozenset({".safetensors", ".pt", ".ckpt", ".pth", ".bin"})
MODULES = ("canny", "depth_midas", "openpose")
HASH = re.compile(r" \[[0-9a-f]+\]$")


class ControlNet:
    """The ControlNet extension: Forge's own, or Mikubill's for AUTOMATIC1111.

    Forge reads its folder at its start only, whatever `update` says, and finds a model by its listed name to
    the letter: any other name paints without control and answers 200. Mikubill's reads the folder again, and
    finds a model by its bare name too, whatever hash stands behind it.
    """

    def __init__(self, model_dir: Path | None, *, forge: bool) -> None:
        self._folder = model_dir / CONTROLNET_DIR if model_dir else None
        self._forge = forge
        self._known: dict[str, Path] = {}
        self._scan()

    def listed(self, *, update: bool) -> list[str]:
        """Return the answer of `/controlnet/model_list`."""
        if update and not self._forge:
            self._scan()
        return list(self._known)

    @property
    def modules(self) -> list[str]:
        """Return the answer of `/controlnet/module_list`."""
        return ["None" if self._forge else "none", *MODULES]

    def check(self, unit: dict[str, Any]) -> None:
        """Raise what Mikubill's own model of a unit raises; Forge logs and goes on without the unit."""
        module = unit.get("module", "none")
        if not self._forge and module not in self.modules:
            text = f"module({module}) not found in supported modules. (type=value_error)"
            raise Failure("ValidationError", f"1 validation error for ControlNetUnit\nmodule\n  {text}")

    def runs(self, unit: dict[str, Any]) -> bool:
        """Tell whether a unit does anything: on Forge one with an unknown module does not."""
        return not self._forge or str(unit.get("module") or "None") in self.modules

    def find(self, name: Any) -> Path | None:
        """Return the file that a unit's `model` means, or None: then there is no control."""
        if not isinstance(name, str) or name in ("", "None"):
            return None
        if name in self._known or self._forge:
            return self._known.get(name)
        bare = HASH.sub("", name).lower()
        named = {HASH.sub("", listed).lower(): path for listed, path in self._known.items()}
        return named.get(bare)

    def _scan(self) -> None:
        files = sorted(self._folder.rglob("*")) if self._folder and self._folder.is_dir() else []
        self._known = {f"{path.stem} [{digest(path)[:8]}]": path for path in files if path.suffix in SUFFIXES}
