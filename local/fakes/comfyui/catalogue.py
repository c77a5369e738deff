"""The classes of nodes: their descriptions, with the models and files that exist now, and what runs them."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from local.fakes.comfyui import (
    nodes_custom,
    nodes_images,
    nodes_media,
    nodes_models,
    nodes_outputs,
    nodes_sampling,
)
from local.fakes.comfyui.execution_context import Result
from local.fakes.comfyui.folders import Folders

CLASSES: Final[dict[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "node_classes.json").read_text(encoding="utf-8")
)
"""Descriptions by class; `$FOLDER` stands for the list of its models, `$input` for the input files."""

RUNS: Final[dict[str, Callable[..., Result]]] = {
    **nodes_models.NODES,
    **nodes_sampling.NODES,
    **nodes_images.NODES,
    **nodes_outputs.NODES,
    **nodes_media.NODES,
    **nodes_custom.NODES,
}
FILE_LOADERS: Final = {
    **dict.fromkeys(("LoadImage", "LoadImageMask", "LoadImageOutput"), "image"),
    "LoadVideo": "file",
    "LoadAudio": "audio",
}
"""Classes that read an input file, and the inputs that name it."""

BUILT_IN: Final = {"$vae": ("pixel_space",)}
"""Models that loaders offer although there is no such file."""

COMBO: Final = "COMBO"
"""The type of newer classes' choices, which are among the options of the input."""

WITHOUT_OUTPUT_IN_OLD: Final = frozenset({"SaveImage", "PreviewImage"})
"""Classes that return their images in version 0.27.0 but not in 0.3.64."""

Inputs = dict[str, tuple[str, Any, dict[str, Any]]]


class Catalogue:
    """Describes the classes as GET /object_info does, and tells the inputs of one class."""

    def __init__(self, folders: Folders, *, old: bool) -> None:
        self._folders = folders
        self._old = old

    def describe(self, name: str) -> dict[str, Any]:
        """Return the description of a class."""
        facts = CLASSES[name]
        inputs = copy.deepcopy(facts["input"])
        for category in ("required", "optional"):
            for one in inputs.get(category, {}).values():
                one[0] = self._filled(one[0])
                if one[0] == COMBO:
                    one[1]["options"] = self._filled(one[1].get("options", []))
        output = self.outputs(name)
        return {
            "input": inputs,
            "input_order": {category: list(members) for category, members in inputs.items()},
            "is_input_list": False,
            "output": output,
            "output_is_list": [False] * len(output),
            "output_name": facts.get("output_name", output) if output else [],
            "name": name,
            "display_name": name,
            "description": "",
            "python_module": facts["python_module"],
            "category": "fake",
            "output_node": facts["output_node"],
            "has_intermediate_output": False,
        }

    def describe_all(self) -> dict[str, Any]:
        """Return the descriptions of all classes; a model folder that was removed drops its loaders."""
        found = {}
        for name in CLASSES:
            try:
                found[name] = self.describe(name)
            except OSError:
                continue
        return found

    def outputs(self, name: str) -> list[str]:
        """Return the types of the outputs of a class."""
        if self._old and name in WITHOUT_OUTPUT_IN_OLD:
            return []
        found: list[str] = CLASSES[name]["output"]
        return found

    def inputs(self, name: str) -> Inputs:
        """Return the inputs of a class by name: category, type or choices, and options."""
        found: Inputs = {}
        for category in ("required", "optional"):
            for one, config in CLASSES[name]["input"].get(category, {}).items():
                options = config[1] if len(config) > 1 else {}
                kind = config[0]
                if kind == COMBO and "options" in options and not self._old:  # 0.3.64 does not check them
                    kind = options["options"]
                found[one] = (category, self._filled(kind), options)
        return found

    def _filled(self, kind: Any) -> Any:
        if isinstance(kind, str) and kind.startswith("$"):
            listed = self._folders.inputs() if kind == "$input" else self._folders.models(kind[1:])
            return [*listed, *BUILT_IN.get(kind, ())]
        return kind


def is_output(name: str) -> bool:
    """Return whether a class is an output node."""
    return bool(CLASSES[name]["output_node"])
