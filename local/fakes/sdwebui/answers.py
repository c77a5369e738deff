"""Answers that never change, as recorded (`answers/`)."""

import json
from functools import cache
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent / "answers"


@cache
def recorded(name: str) -> Any:
    """Return a recorded answer; callers must not change it."""
    return json.loads((DIRECTORY / f"{name}.json").read_text())
