"""The input files of a task on ComfyUI's side: uploaded under names that nobody can guess, and removed."""

import logging
import secrets
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from adapters.public_http.errors import InputError
from container.consumer.engines.comfyui.client import ComfyUi
from container.consumer.engines.comfyui.node_classes import NodeClass
from container.consumer.engines.comfyui.whole import is_whole
from container.consumer.inputs.fetch import Fetched
from container.consumer.inputs.images import Sniffed
from domain.body import pointer
from domain.errors import ErrorCode
from runtimes.media import AUDIO_NAMES, IMAGE_NAMES, VIDEO_NAMES

log = logging.getLogger(__name__)

PREFIX: Final = "sdoe-"
"""Names of inputs begin like this, so that those that a worker left behind can be recognized."""


TAKEN: Final = {
    "image": f"an image ({IMAGE_NAMES})",
    "video": f"a video ({VIDEO_NAMES})",
    "audio": f"a sound ({AUDIO_NAMES})",
}


class Folders:
    """The server's folders, if the worker shares them: no route of ComfyUI deletes a file.

    `root` holds `input`, `output` and `temp`; None if the server's files cannot be reached.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = root

    def remove_inputs(self, names: list[str]) -> None:
        """Delete uploaded inputs."""
        for name in names:
            self._unlink("input", name)

    def remove_outputs(self, folder: str, temporary: list[str]) -> None:
        """Delete what a job has written: its own folder, and its temporary files."""
        for name in temporary:
            self._unlink("temp", name)
        if self._root is not None:
            for kind in ("output", "temp"):
                _remove_folder(self._root / kind / folder)

    def clean(self) -> None:
        """Delete what workers before this one have left behind."""
        if self._root is None:
            return
        for path in _children(self._root / "input"):
            if path.name.startswith(PREFIX):
                path.unlink(missing_ok=True)
        for path in _children(self._root / "output"):
            if is_nonce(path.name):
                _remove_folder(path)
        for path in _children(self._root / "temp"):
            _remove(path)

    def _unlink(self, kind: str, name: str) -> None:
        # Only names without a folder: a node may report any name.
        if self._root is not None and name and Path(name).name == name:
            path = self._root / kind / name
            try:
                path.unlink(missing_ok=True)
            except OSError:
                log.warning("a file of ComfyUI could not be deleted", exc_info=True)


class Uploads:
    """The inputs of one task; they are deleted when nothing refers to them any more, or by `remove`."""

    def __init__(self, folders: Folders) -> None:
        self._names: list[str] = []
        self.remove: Callable[[], Any] = weakref.finalize(self, folders.remove_inputs, self._names)

    def add(self, server: ComfyUi, inputs: Mapping[str, Fetched], path: str) -> str:
        """Upload the input at a JSON pointer and return the name by which nodes find it."""
        fetched = inputs[path]
        if not is_whole(fetched.data, fetched.file_type.format):
            # ComfyUI takes a file that breaks off for an image, and the rest of it is grey.
            text = f"the {fetched.file_type.format} file is not complete."
            is_image = fetched.file_type.kind == "image"
            code = ErrorCode.INPUT_NOT_AN_IMAGE if is_image else ErrorCode.INPUT_WRONG_TYPE
            raise InputError(code, text).at(path)
        name = f"{PREFIX}{secrets.token_hex(16)}.{fetched.file_type.extension}"
        self._names.append(name)
        stored = server.upload(name, fetched.data, fetched.file_type.content_type)
        if stored != name:
            self._names.append(stored)
        return stored

    def add_all(self, server: ComfyUi, inputs: Mapping[str, Fetched], names: list[str]) -> dict[str, str]:
        """Upload the named files of a task; return the server's name of each."""
        return {name: self.add(server, inputs, f"/files/{pointer(name)}") for name in names}


def check_kinds(
    prompt: Mapping[str, Any], classes: Mapping[str, NodeClass], files: Mapping[str, Sniffed]
) -> None:
    """Raise InputError if a node is to read a file of another kind than it takes.

    A node for sounds also takes a video, of which it reads the sound.
    """
    for node, one in prompt.items():
        for name, kind in classes[node].files.items():
            value = one["inputs"].get(name)
            found = files.get(value) if isinstance(value, str) else None
            if found is None or kind == found.kind or (kind == "audio" and found.kind == "video"):
                continue
            taken = TAKEN.get(kind, "a file that this service does not upload")
            text = f"node {node} ({one['class_type']}) takes {taken}, but the file is {found.format}."
            code = ErrorCode.INPUT_NOT_AN_IMAGE if kind == "image" else ErrorCode.INPUT_WRONG_TYPE
            raise InputError(code, text).at(f"/files/{pointer(value)}")


def new_nonce() -> str:
    """Return a name that no other job has had."""
    return secrets.token_hex(16)


def is_nonce(name: str) -> bool:
    """Return whether a name could be from `new_nonce`."""
    return len(name) == 32 and all(one in "0123456789abcdef" for one in name)


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _remove(path: Path) -> None:
    """Delete a file, a link, or a folder with its content."""
    if path.is_dir() and not path.is_symlink():
        _remove_folder(path)
    else:
        path.unlink(missing_ok=True)


def _remove_folder(folder: Path) -> None:
    """Delete a folder with its content; links are deleted and never followed."""
    if folder.is_symlink():
        folder.unlink(missing_ok=True)
        return
    for path in _children(folder):
        _remove(path)
    if folder.is_dir():
        try:
            folder.rmdir()
        except OSError:
            log.warning("a folder of ComfyUI could not be deleted", exc_info=True)
