"""The catalogue of node classes: what a runtime's ComfyUI has, and what each input of a class takes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

CATALOGUES: Final = Path(__file__).parent / "catalogues"
DEFAULT_CATALOGUE: Final = "comfyui.json"
CATALOGUE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.json")

MODEL: Final = "model:"
FILE: Final = "file:"
WIDGETS: Final = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "choice", "prefix", "path"})
"""Kinds of inputs whose values stand in the workflow; all others take links only."""

ANY: Final = "*"
"""The kind of an input that takes anything; also of one that the catalogue does not know in detail."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a class.

    `kind` is `model:FOLDER`, `file:KIND`, `prefix`, `path`, `INT`, `FLOAT`, `STRING`, `BOOLEAN`, `choice`,
    `*`, or the type of a link such as `LATENT` (several with commas between them).
    """

    kind: str
    required: bool = True
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()

    @property
    def folder(self) -> str | None:
        """Return the folder of the models that the input names."""
        return self.kind.removeprefix(MODEL) if self.kind.startswith(MODEL) else None

    @property
    def media(self) -> str | None:
        """Return the kind of the input file that the input names: image, video, audio or file."""
        return self.kind.removeprefix(FILE) if self.kind.startswith(FILE) else None

    @property
    def takes_values(self) -> bool:
        """Return whether a plain value may stand in the input, instead of a link."""
        return self.kind in WIDGETS or self.kind == ANY or self.kind.startswith((MODEL, FILE))


@dataclass(frozen=True, slots=True)
class NodeClass:
    """A class of nodes: the types of its outputs, its inputs by name, and whether it is an output node.

    `is_custom` is true for a class of a pack, which is not ComfyUI's own.
    """

    name: str
    outputs: tuple[str, ...]
    inputs: Mapping[str, Input]
    is_output: bool = False
    is_custom: bool = False

    def input(self, name: str) -> Input | None:
        """Return an input; `format.quality` is a part of the input `format` if that one takes anything."""
        declared = self.inputs.get(name)
        if declared is None and "." in name:
            whole = self.inputs.get(name.partition(".")[0])
            declared = Input(ANY, required=False) if whole is not None and whole.kind == ANY else None
        return declared


class Catalogue:
    """The classes of one ComfyUI; `version` is that of the server it was made from."""

    def __init__(self, classes: Mapping[str, NodeClass], version: str = "") -> None:
        self.classes = classes
        self.version = version

    def get(self, name: str) -> NodeClass | None:
        """Return a class, or None if the catalogue does not have it."""
        return self.classes.get(name)

    @classmethod
    def from_json(cls, text: str) -> "Catalogue":
        """Read what `tools.node_catalogue` wrote."""
        document = json.loads(text)
        lists = document["lists"]
        classes = {
            name: NodeClass(
                name,
                tuple(facts.get("outputs", ())),
                {input_name: _input(value, lists) for input_name, value in facts.get("inputs", {}).items()},
                is_output=facts.get("output", False),
                is_custom=facts.get("custom", False),
            )
            for name, facts in document["classes"].items()
        }
        return cls(classes, document.get("comfyui", ""))


@lru_cache(maxsize=4)
def load(name: str = DEFAULT_CATALOGUE) -> Catalogue:
    """Return a catalogue of this package; it is read when the first task needs it."""
    if not CATALOGUE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a catalogue")
    return Catalogue.from_json((CATALOGUES / name).read_text(encoding="utf-8"))


def _input(value: Any, lists: list[list[Any]]) -> Input:
    """Read `KIND`, `KIND?` for an optional input, or a list with the range or the number of the choices."""
    kind, *rest = value if isinstance(value, list) else [value]
    required, kind = not kind.endswith("?"), kind.removesuffix("?")
    if kind == "choice":
        return Input(kind, required, choices=tuple(lists[rest[0]]))
    low, high = (*rest, None, None)[:2]
    return Input(kind, required, low, high)
