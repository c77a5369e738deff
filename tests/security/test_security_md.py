"""SECURITY.md describes its tests correctly."""

import re
from pathlib import Path

from tests.security.cases import DATA

TEXT = (Path(__file__).parents[2] / "SECURITY.md").read_text("utf-8")


def test_the_table_has_the_number_of_cases_of_each_group() -> None:
    documented = {
        group: int(number)
        for group, number in re.findall(r"^\|.*\| `(\w+)` \| (\d+) \|$", TEXT, re.MULTILINE)
    }
    assert documented == {group: len(entries) for group, entries in DATA.items()}


def test_there_are_enough_distinct_cases() -> None:
    assert sum(len(entries) for entries in DATA.values()) >= 300
    for group, entries in DATA.items():
        names = [entry if isinstance(entry, str) else entry["why"] for entry in entries]
        assert len(names) == len(set(names)), group
