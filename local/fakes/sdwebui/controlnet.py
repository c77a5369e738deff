"""The ControlNet extension: the names under which it lists models, and the names that it finds."""

import hashlib
import re
from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter

from local.fakes.model_file import is_complete
from local.fakes.sdwebui.errors import Failure
from local.fakes.sdwebui.models import OLD_HASH_BYTES, OLD_HASH_OFFSET

CONTROLNET_DIR = "ControlNet"
SUFFIXES = frozenset({".safetensors", ".pt", ".ckpt", ".pth", ".bin"})
MODULES = ("canny", "depth_midas", "openpose")
MAX_UNITS = 3
"""The number of arguments that are read as units; those that are not objects are ignored."""
PARAMETERS = {"processor_res": "Processor Res", "threshold_a": "Threshold A", "threshold_b": "Threshold B"}
CANNY_DEFAULTS = {"processor_res": 512, "threshold_a": 100, "threshold_b": 200}
"""The values that Mikubill's extension reports for parameters of canny that a unit omits."""
NO_MODEL = (None, "", "None")
HASH = re.compile(r" \[[0-9a-f]+\]$")


class ControlNet:
    """The ControlNet extension: Forge's own, or Mikubill's for AUTOMATIC1111.

    Forge reads its folder only at its start, whatever `update` says, and finds a model only by its exact
    listed name: with any other name, the picture is generated without control, but with a map, and the status
    is 200. Mikubill's extension reads the folder again and finds a model by its name or a part of it, in any
    case. It ignores a unit whose name has another hash or whose file cannot be loaded.
    """

    def __init__(self, model_dir: Path | None, *, is_forge: bool) -> None:
        self._folder = model_dir / CONTROLNET_DIR if model_dir else None
        self._is_forge = is_forge
        self._known: dict[str, Path] = {}
        self._scan()

    def model_names(self, *, update: bool) -> list[str]:
        """Return the list of `/controlnet/model_list`."""
        if update and not self._is_forge:
            self._scan()
        return list(self._known)

    @property
    def module_names(self) -> list[str]:
        """Return the list of `/controlnet/module_list`."""
        return ["None" if self._is_forge else "none", *MODULES]

    def check(self, unit: dict[str, Any]) -> None:
        """Raise the error of Mikubill's extension for an invalid unit; Forge logs it and ignores the unit."""
        module = unit.get("module", "none")
        if not self._is_forge and module not in self.module_names:
            text = f"module({module}) not found in supported modules. (type=value_error)"
            raise Failure("ValidationError", f"1 validation error for ControlNetUnit\nmodule\n  {text}")

    def has_effect(self, unit: dict[str, Any]) -> bool:
        """Return whether a unit has any effect; on Forge, one with an unknown module has none."""
        return not self._is_forge or str(unit.get("module") or "None") in self.module_names

    def has_usable_model(self, unit: dict[str, Any]) -> bool:
        """Return whether a unit's model is found and can be loaded; otherwise there is no control."""
        path = self._find(unit.get("model"))
        return path is not None and is_complete(path)

    def returns_map(self, unit: dict[str, Any]) -> bool:
        """Return whether the map of a unit is returned after the pictures."""
        if not unit.get("save_detected_map", True):
            return False
        return self._is_forge or unit.get("model") in NO_MODEL or self.has_usable_model(unit)

    def infotext_value(self, unit: dict[str, Any]) -> str:
        """Return the description of a unit in the infotext."""
        values = {name: unit[name] for name in PARAMETERS if name in unit}
        if not self._is_forge:
            values |= {name: float(value) for name, value in values.items() if name != "processor_res"}
            values = (CANNY_DEFAULTS if unit.get("module") == "canny" else {}) | values
        resize_mode = "ResizeMode.INNER_FIT" if self._is_forge else "Crop and Resize"
        texts = [
            f"Module: {unit.get('module')}, Model: {unit.get('model')}",
            f"Weight: {float(unit.get('weight', 1.0))}, Resize Mode: {resize_mode}",
            *(f"{PARAMETERS[name]}: {values[name]}" for name in PARAMETERS if name in values),
            f"Guidance Start: {float(unit.get('guidance_start', 0.0))}",
            f"Guidance End: {float(unit.get('guidance_end', 1.0))}",
            f"Pixel Perfect: {bool(unit.get('pixel_perfect', False))}",
            "Control Mode: ControlMode.BALANCED, Hr Option: HiResFixOption.BOTH"
            if self._is_forge
            else "Control Mode: Balanced",
        ]
        return ", ".join(texts)

    def _find(self, name: Any) -> Path | None:
        if not isinstance(name, str) or name in NO_MODEL:
            return None
        if name in self._known or self._is_forge:
            return self._known.get(name)
        without_hash = {HASH.sub("", listed).lower(): path for listed, path in self._known.items()}
        matches = sorted((listed for listed in without_hash if name.lower() in listed), key=len)
        return without_hash[matches[0]] if matches else None

    def _scan(self) -> None:
        files = sorted(self._folder.rglob("*")) if self._folder and self._folder.is_dir() else []
        self._known = {f"{path.stem} [{short_hash(path)}]": path for path in files if path.suffix in SUFFIXES}


def short_hash(path: Path) -> str:
    """Return the hash after a model's name: of only a part of the file, as for early checkpoints."""
    with path.open("rb") as file:
        file.seek(OLD_HASH_OFFSET)
        return hashlib.sha256(file.read(OLD_HASH_BYTES)).hexdigest()[:8]


def control_map(image: Image.Image, unit: dict[str, Any], size: tuple[int, int]) -> Image.Image:
    """Return the result of a unit's module for its image, in the size of the picture."""
    if unit.get("module") in (None, "none", "None"):
        return image.resize(size)
    side = int(unit.get("processor_res") or CANNY_DEFAULTS["processor_res"])
    resized = image.resize((side, max(1, side * image.height // image.width)))
    return resized.convert("L").filter(ImageFilter.FIND_EDGES).convert("RGB").resize(size)
