"""Add settings to the file that the engine reads when it starts."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any


class CannotWriteSettings(Exception):
    """The reason, in one line, why the engine's settings file could not be changed."""


def filled_folders(folders: Mapping[str, str], model_dir: str) -> dict[str, str]:
    """Return those settings of folders, as the engine finds them, whose folder below `model_dir` has files.

    An empty one would hide the folder that the engine's image itself has.
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
        known = json.loads(path.read_bytes())
        path.write_text(json.dumps(known | dict(settings), indent=2), encoding="utf-8")
    except (OSError, ValueError, TypeError) as error:
        raise CannotWriteSettings(f"ENGINE_SETTINGS_FILE: {type(error).__name__}: {file}") from None
