"""ComfyUI's folders of files: which of these are of tasks, and their removal."""

import logging
import secrets
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

PREFIX: Final = "sdoe-"
"""Names of inputs begin like this, so that those that a worker left behind can be recognized."""


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


def new_nonce() -> str:
    """Return a name that no other job has had, and that nobody can guess."""
    return secrets.token_hex(16)


def new_input_name(extension: str) -> str:
    """Return a name for an input file that nobody can guess."""
    return f"{PREFIX}{secrets.token_hex(16)}.{extension}"


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
