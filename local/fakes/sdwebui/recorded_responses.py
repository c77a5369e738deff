"""Responses of a real SD Web UI that never change, as they were recorded (`answers/`)."""

import json
from functools import cache
from pathlib import Path
from typing import Any

RESPONSES_FOLDER = Path(__file__).parent / "answers"


@cache
def recorded_response(name: str) -> Any:
    """Return a recorded response, which callers must not change."""
    return json.loads((RESPONSES_FOLDER / f"{name}.json").read_text())
