"""SECURITY.md tells the truth about its tests."""

import re
from pathlib import Path

from tests.security.cases import DATA

TEXT = (Path(__file__).parents[2] / "SECURITY.md").read_text("utf-8")


def test_counts() -> None:
    """Each group of cases stands in the table with its number."""
    documented = {
        group: int(number)
        for group, number in re.findall(r"^\|.*\| `(\w+)` \| (\d+) \|$", TEXT, re.MULTILINE)
    }
    assert documented == {group: len(entries) for group, entries in DATA.items()}


def test_enough() -> None:
    """There are many more cases than the sixty that were asked for, and none stands there twice."""
    assert sum(len(entries) for entries in DATA.values()) >= 300
    for group, entries in DATA.items():
        names = [entry if isinstance(entry, str) else entry["why"] for entry in entries]
        assert len(names) == len(set(names)), group
