"""Check again, just before a workflow is sent to ComfyUI, that it reads and writes only its task's files."""

from collections.abc import Collection, Iterator
from typing import Any

from domain.body import pointer
from domain.errors import Fault
from runtimes.comfyui.catalogue import ANY, Input
from runtimes.comfyui.node_values import strings
from runtimes.comfyui.options import Options
from runtimes.comfyui.policy import bad_model_name, begins_as_path, outside, relative_path
from runtimes.comfyui.workflow import is_link


def escapes(
    prompt: dict[str, Any], options: Options, *, files: Collection[str], folder: str
) -> Iterator[Fault]:
    """Yield what a workflow, as it will be sent, may neither read nor write.

    `files` are the names under which this task's inputs were uploaded, and `folder` is the one that all its
    outputs go into. The check does not depend on what was checked before: nothing but these files is named
    where a class reads a file, no output has another folder, no model's name leaves its folder, and no text
    is a path or a URL.
    """
    for node, one in prompt.items():
        path = f"/prompt/{pointer(node)}"
        name = one["class_type"]
        node_class = options.catalogue.get(name)
        if reason := options.refused(name, node_class):
            yield Fault(f"{path}/class_type", reason)
        elif node_class is None and name not in options.allow:
            yield Fault(f"{path}/class_type", "this class is not allowed here")
        for one_input, value in one["inputs"].items():
            kind = node_class.input(one_input) if node_class else None
            if reason := _escape(kind, value, files, folder) or (
                _hidden_path(value) if node_class is None else None
            ):
                yield Fault(f"{path}/inputs/{pointer(one_input)}", reason)


def _hidden_path(value: Any) -> str | None:
    return next((f"it {reason}" for text in strings(value) if (reason := relative_path(text))), None)


def _escape(kind: Input | None, value: Any, files: Collection[str], folder: str) -> str | None:
    if kind is not None and kind.media is not None:
        return None if isinstance(value, str) and value in files else "only the task's own files are read"
    if kind is not None and kind.folder is not None:
        return "the name of a model" if not isinstance(value, str) else bad_model_name(value)
    if kind is not None and kind.kind == "path":
        return None if value in ("", None) else "no file or folder may be named"
    if kind is not None and kind.kind == "prefix":
        inside = isinstance(value, str) and value.startswith(f"{folder}/")
        inside = inside and not any(part in ("", ".", "..") for part in value.split("/"))
        return None if inside and "\\" not in value else f"outputs go into {folder}/ only"
    return None if is_link(value) else _text(value, unknown=kind is None or kind.kind == ANY)


def _text(value: Any, *, unknown: bool) -> str | None:
    for text in strings(value):
        if reason := outside(text) or (begins_as_path(text) if unknown else None):
            return f"it {reason}"
    return None
