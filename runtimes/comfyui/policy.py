"""What no workflow may do: classes that are refused, and texts that are paths or URLs."""

import re
from typing import Any, Final

from runtimes.links import is_link

_PLACES: Final = "it reads or writes files at a place that the workflow names"
_MODELS: Final = "it writes models, which other tasks would then use"

NEVER_ALLOWED: Final = {
    **dict.fromkeys(
        (
            "SaveImageDataSetToFolder",
            "SaveImageTextDataSetToFolder",
            "SaveTrainingDataset",
            "LoadTrainingDataset",
            "LoadImageDataSetFromFolder",
            "LoadImageTextDataSetFromFolder",
            "LoadImageSetFromFolderNode",
            "LoadImageTextSetFromFolderNode",
        ),
        _PLACES,
    ),
    **dict.fromkeys(
        (
            "CheckpointSave",
            "ModelSave",
            "CLIPSave",
            "VAESave",
            "LoraSave",
            "SaveLoRA",
            "SaveLoRANode",
            "ImageOnlyCheckpointSave",
            "TrainLoraNode",
        ),
        _MODELS,
    ),
    "VHS_BatchManager": "it queues the workflow again as further jobs, whose outputs nobody would store",
    "LoadImageOutput": "it reads the outputs of other tasks; send the image as an input of LoadImage",
    "WebcamCapture": "it reads a camera; send the image as an input of LoadImage",
}
"""Classes that not even the settings can allow, and why."""

ONLY_IF_ALLOWED: Final = {
    "SaveLatent": "a latent is no picture",
    **dict.fromkeys(
        ("RegexMatch", "RegexExtract", "RegexReplace"), "some patterns keep a worker busy for ever"
    ),
}
"""Classes that a runtime's `nodes.allow` has to name, and why."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PARENT: Final = re.compile(r"(?<![.\w])\.\.[\\/]|[\\/]\.\.(?![.\w])")
_PATH: Final = re.compile(r"~?/\S+|[A-Za-z]:[\\/]\S*|\\\\\S+|\.\.")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://\S*")
_ANNOTATED: Final = re.compile(r"\[(?:input|output|temp)\]\s*$")
_EMBEDDING: Final = re.compile(r"embedding:[\s,]*([^\s,:()\[\]]+)")
"""ComfyUI looks for a name again without the commas around it."""

_BEGINS_AS_PATH: Final = re.compile(r"\s*(?:~?/[^\s/]|[A-Za-z]:[\\/]|\\\\)")


def begins_as_path(text: str) -> str | None:
    """Return why a text of an unknown node may be a path, also one with spaces, or None.

    A prompt may begin with a slash; what a node does with a text is known only of classes in the catalogue.
    """
    return "begins as a path" if any(map(_BEGINS_AS_PATH.match, text.splitlines())) else None


def outside(text: str) -> str | None:
    """Return why a text, or a line of it, is a path or a URL, to follow "it", or None if it is neither."""
    if _CONTROL.search(text):
        return "holds control characters"
    lines = [line.strip() for line in text.splitlines()]
    if any(is_link(line) or _SCHEME.fullmatch(line) for line in lines) or "file:/" in text.lower():
        return "is a URL"
    if _PARENT.search(text) or any(line.strip("/") and _PATH.fullmatch(line) for line in lines):
        return "is a path"
    if any(map(_ANNOTATED.search, lines)):
        return "names a file of the server"
    if any(bad_model_name(name) for name in embeddings(text)):
        return "names an embedding by a path that leaves its folder"
    return None


def relative_path(text: str) -> str | None:
    """Return why a text is a path below some folder, to follow "it", or None if it is none.

    Only for inputs of which nothing is known: core nodes take such texts as names of models.
    """
    folder, _, name = text.strip().replace("\\", "/").rpartition("/")
    return "is a path" if folder and "." in name and not any(map(str.isspace, folder + name)) else None


def bad_model_name(name: str) -> str | None:
    """Return why a text cannot be the name of a model, to follow "it", or None if it can."""
    if not name:
        return "is empty"
    if _CONTROL.search(name) or "\n" in name or "\r" in name or "\t" in name:
        return "holds control characters"
    if "\\" in name:
        return "has a backslash; folders are separated by /"
    if name.startswith(("/", "~")) or ":" in name or is_link(name):
        return "is a path or a URL; name the file in its folder of the model bucket"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "leaves its folder"
    return None


def bad_file_name(name: str) -> str | None:
    """Return why a text cannot be the name of an input file, to follow "it", or None if it can."""
    if not name or name.strip() != name:
        return "is empty or begins or ends with a space"
    if _CONTROL.search(name) or "\n" in name or "\r" in name or "\t" in name:
        return "holds control characters"
    if "/" in name or "\\" in name or ".." in name:
        return "has a path; give the name alone"
    if _ANNOTATED.search(name) or name.startswith("blake3:"):
        return "names a file of the server; a task reads only its own inputs"
    return None


def embeddings(text: Any) -> list[str]:
    """Return the names of the embeddings that a text names."""
    return _EMBEDDING.findall(text) if isinstance(text, str) else []
