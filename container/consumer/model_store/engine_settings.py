"""Add settings to the file that the engine reads when it starts."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any


class CannotWriteSettings(Exception):
    """The engine's settings file could not be changed; the message is one line with the reason."""


def filled_folders(folders: Mapping[str, str], model_dir: str) -> dict[str, str]:
    """Return the entries of `folders` (setting to path) whose folder below `model_dir` contains files.

    An empty folder would hide the one in the engine's image.
    """
    if not model_dir:
        return {}
    names = {setting: Path(model_dir) / PurePosixPath(path).name for setting, path in folders.items()}
    return {
        setting: folders[setting]
        for setting, folder in names.items()
        if any(path.is_file() for path in folder.rglob("*"))
    }


def add_settings(file: str, settings: Mapping[str, Any]) -> None:
    """Add settings to the JSON object in a file, if both are given; raise CannotWriteSettings."""
    if not file or not settings:
        return
    path = Path(file)
    try:
        current_settings = json.loads(path.read_bytes())
        path.write_text(json.dumps(current_settings | dict(settings), indent=2), encoding="utf-8")
    except (OSError, ValueError, TypeError) as error:
        raise CannotWriteSettings(f"ENGINE_SETTINGS_FILE: {type(error).__name__}: {file}") from None
