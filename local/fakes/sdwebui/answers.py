"""Recorded responses that never change (`answers/`)."""

import json
from functools import cache
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent / "answers"


@cache
def recorded(name: str) -> Any:
    """Return a recorded response, which callers must not change."""
    return json.loads((DIRECTORY / f"{name}.json").read_text())
