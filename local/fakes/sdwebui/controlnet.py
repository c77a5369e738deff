"""ControlNet: which models a Web UI lists under which names, and whether a unit's name is found."""

import hashlib
import re
from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter

from local.fakes.sdwebui.checkpoint_file import is_whole
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.models import OLD_HASH_BYTES, OLD_HASH_OFFSET

CONTROLNET_DIR = "ControlNet"
SUFFIXES = frozenset({".safetensors", ".pt", ".ckpt", ".pth", ".bin"})
MODULES = ("canny", "depth_midas", "openpose")
UNITS = 3
"""Only that many arguments are read as units, and only those that are objects."""
KNOBS = {"processor_res": "Processor Res", "threshold_a": "Threshold A", "threshold_b": "Threshold B"}
CANNY_KNOBS = {"processor_res": 512, "threshold_a": 100, "threshold_b": 200}
"""What Mikubill's tells for the knobs of canny that a unit leaves out."""
NO_MODEL = (None, "", "None")
HASH = re.compile(r" \[[0-9a-f]+\]$")


class ControlNet:
    """The ControlNet extension: Forge's own, or Mikubill's for AUTOMATIC1111.

    Forge reads its folder at its start only, whatever `update` says, and finds a model by its listed name to
    the letter: any other name paints without control, with a map, and answers 200. Mikubill's reads the
    folder again, and finds a model by its bare name or a part of it, in any case; a name with another hash,
    or a file that does not load, leaves the unit out.
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

    def steers(self, unit: dict[str, Any]) -> bool:
        """Return whether a unit's model is found and loads: else there is no control."""
        path = self._find(unit.get("model"))
        return path is not None and is_whole(path)

    def shows_map(self, unit: dict[str, Any]) -> bool:
        """Return whether the map of a unit comes behind the pictures."""
        if not unit.get("save_detected_map", True):
            return False
        return self._forge or unit.get("model") in NO_MODEL or self.steers(unit)

    def described(self, unit: dict[str, Any]) -> str:
        """Return what the infotext says of a unit."""
        given = {name: unit[name] for name in KNOBS if name in unit}
        if not self._forge:
            given |= {name: float(value) for name, value in given.items() if name != "processor_res"}
            given = (CANNY_KNOBS if unit.get("module") == "canny" else {}) | given
        fit = "ResizeMode.INNER_FIT" if self._forge else "Crop and Resize"
        told = [
            f"Module: {unit.get('module')}, Model: {unit.get('model')}",
            f"Weight: {float(unit.get('weight', 1.0))}, Resize Mode: {fit}",
            *(f"{KNOBS[name]}: {given[name]}" for name in KNOBS if name in given),
            f"Guidance Start: {float(unit.get('guidance_start', 0.0))}",
            f"Guidance End: {float(unit.get('guidance_end', 1.0))}",
            f"Pixel Perfect: {bool(unit.get('pixel_perfect', False))}",
            "Control Mode: ControlMode.BALANCED, Hr Option: HiResFixOption.BOTH"
            if self._forge
            else "Control Mode: Balanced",
        ]
        return ", ".join(told)

    def _find(self, name: Any) -> Path | None:
        if not isinstance(name, str) or name in NO_MODEL:
            return None
        if name in self._known or self._forge:
            return self._known.get(name)
        bare = {HASH.sub("", listed).lower(): path for listed, path in self._known.items()}
        alike = sorted((known for known in bare if name.lower() in known), key=len)
        return bare[alike[0]] if alike else None

    def _scan(self) -> None:
        files = sorted(self._folder.rglob("*")) if self._folder and self._folder.is_dir() else []
        self._known = {f"{path.stem} [{short_hash(path)}]": path for path in files if path.suffix in SUFFIXES}


def short_hash(path: Path) -> str:
    """Return the digits behind a model's name: of a part of the file only, as of early checkpoints."""
    with path.open("rb") as file:
        file.seek(OLD_HASH_OFFSET)
        return hashlib.sha256(file.read(OLD_HASH_BYTES)).hexdigest()[:8]


def control_map(image: Image.Image, unit: dict[str, Any], size: tuple[int, int]) -> Image.Image:
    """Make what a unit's module makes of its image, in the size of the picture."""
    if unit.get("module") in (None, "none", "None"):
        return image.resize(size)
    side = int(unit.get("processor_res") or CANNY_KNOBS["processor_res"])
    worked = image.resize((side, max(1, side * image.height // image.width)))
    return worked.convert("L").filter(ImageFilter.FIND_EDGES).convert("RGB").resize(size)
