"""What the running ComfyUI says about the classes of nodes that workflows name."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from container.consumer.engines.comfyui.client import ComfyUi
from domain.errors import ErrorCode, PermanentError
from runtimes.base import ModelRequirement
from runtimes.comfyui.catalogue import Catalogue
from runtimes.comfyui.catalogue import NodeClass as Described

Json = dict[str, Any]

UPLOADS: Final = {
    "image_upload": "image",
    "video_upload": "video",
    "audio_upload": "audio",
    "file_upload": "file",
}
"""Flags of inputs that name a file of the server's input folder, and the kinds of files."""

PREFIXES: Final = frozenset({"filename_prefix", "prefix"})
"""Inputs of output nodes that say where files are written."""


PREFIX: Final = "prefix"
"""The kind of such an input in a catalogue."""

COMBO: Final = "COMBO"
"""The type of an input whose choices are among its options; older classes have the choices in its place."""


@dataclass(frozen=True, slots=True)
class NodeClass:
    """What the worker needs to know about a class."""

    is_output: bool
    files: Mapping[str, str]
    """Inputs that name a file of the input folder, each with its kind: image, video, audio or file."""
    prefixes: frozenset[str]
    """Inputs that say where an output node writes its files."""


class NodeClasses:
    """Reads descriptions of classes, each once per start of the server; can be used from several threads."""

    def __init__(self, server: ComfyUi) -> None:
        self._server = server
        self._known: dict[str, NodeClass] = {}
        self._names: list[str] | None = None
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Read everything again, because another server may have started."""
        with self._lock:
            self._known = {}
            self._names = None

    def names(self) -> list[str]:
        """Return the names of all classes that the server has."""
        with self._lock:
            known = self._names
        if known is None:
            known = self._server.classes()
            with self._lock:
                self._names = known
        return known

    def of(self, prompt: Json, catalogue: Catalogue) -> dict[str, NodeClass]:
        """Return the class of each node; raise PermanentError for one that the server does not have.

        A catalogue may know more inputs that name files than the server's flags tell.
        """
        return {
            node: _with_catalogue(self._class(node, one["class_type"]), catalogue.get(one["class_type"]))
            for node, one in prompt.items()
        }

    def choices(self, prompt: Json, need: ModelRequirement) -> list[str]:
        """Return what the server offers now for the input that names a model, also what is no file."""
        parts = need.path.split("/")
        node, name = (part.replace("~1", "/").replace("~0", "~") for part in (parts[2], parts[4]))
        found = self._server.describe(prompt[node]["class_type"]) or {}
        groups = found.get("input") or {}
        declared = {**(groups.get("required") or {}), **(groups.get("optional") or {})}.get(name)
        if not isinstance(declared, list) or not declared:
            return []
        options = declared[1] if len(declared) > 1 and isinstance(declared[1], dict) else {}
        listed = options.get("options") if declared[0] == COMBO else declared[0]
        return [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []

    def _class(self, node: str, name: str) -> NodeClass:
        with self._lock:
            known = self._known.get(name)
        if known is None:
            found = self._server.describe(name)
            if found is None:
                text = (
                    f"/prompt/{node}/class_type: this ComfyUI has no class {name}; its package of custom "
                    "nodes may have failed to load."
                )
                raise PermanentError(ErrorCode.NODE_NOT_FOUND, text)
            known = _read(found)
            with self._lock:
                self._known[name] = known
        return known


def _with_catalogue(known: NodeClass, described: Described | None) -> NodeClass:
    if described is None:
        return known
    kinds = described.inputs.items()
    return NodeClass(
        known.is_output,
        {**{name: kind.media for name, kind in kinds if kind.media is not None}, **known.files},
        known.prefixes | {name for name, kind in kinds if kind.kind == PREFIX},
    )


def _read(found: Json) -> NodeClass:
    is_output = bool(found.get("output_node"))
    groups = found.get("input") or {}
    inputs = {**(groups.get("required") or {}), **(groups.get("optional") or {})}
    return NodeClass(
        is_output,
        {name: kind for name, declared in inputs.items() if (kind := _file_kind(declared))},
        frozenset(inputs) & PREFIXES if is_output else frozenset(inputs) & {"filename_prefix"},
    )


def _file_kind(declared: Any) -> str | None:
    options = declared[1] if isinstance(declared, list) and len(declared) > 1 else None
    given = options if isinstance(options, dict) else {}
    return next((kind for flag, kind in UPLOADS.items() if given.get(flag)), None)
