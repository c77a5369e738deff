"""The recordings of real servers by name; see `recordings/README.md`."""

import json
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "contract" / "recordings"
JOBS_PREFIX = "jobs-"


def recording(name: str) -> dict[str, Any]:
    """Return one recording; callers must not change it."""
    return _by_name()[name]


def names(*patterns: str) -> list[str]:
    """Return the recordings whose names match, sorted."""
    return sorted(name for name in _by_name() if any(fnmatchcase(name, pattern) for pattern in patterns))


@cache
def jobs(flavor: str) -> list[dict[str, Any]]:
    """Return the recorded jobs of one Web UI in the order in which they ran; callers must not change them."""
    return _lines(FOLDER / f"{JOBS_PREFIX}{flavor}.jsonl")


@cache
def _by_name() -> dict[str, dict[str, Any]]:
    files = [path for path in sorted(FOLDER.glob("*.jsonl")) if not path.name.startswith(JOBS_PREFIX)]
    return {line["name"]: line for path in files for line in _lines(path)}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
