"""The request bodies of the cases: requests as users send them, each with the name of its case."""

import json
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "requests.jsonl"


@cache
def bodies() -> dict[str, str]:
    """Return the text of each body by the name of its case; not all are valid JSON."""
    lines = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    return {line["case"]: line["body"] for line in lines}
