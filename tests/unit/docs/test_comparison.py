"""The costs in the README and in the comparison are those of `docs/cost.md`."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "docs/comparison.md"])
def test_costs_are_those_of_the_cost_page(name: str) -> None:
    page = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
    rest = [
        round(float(found)) for found in re.findall(r"^\| a month in which.*?\$([\d.]+)", page, re.MULTILINE)
    ]
    images = re.findall(r"^\| a million images on g6.xlarge, .*?\$(\d+)", page, re.MULTILINE)
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.search(rf"\b{min(rest)} (to|到) \$?{max(rest)}\b", text)
    assert all(re.search(rf"\b{dollars}\b", text) for dollars in images), images
