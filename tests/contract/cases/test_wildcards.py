"""Wildcards of the model bucket are filled in, or the task fails."""

import json
from typing import Any

import pytest

from tests.contract.cases.place import Place

pytestmark = pytest.mark.xdist_group("cases")
OFF = {"Dynamic Prompts v2.17.1": {"args": [False, False]}}


def test_a_wildcard_of_the_bucket_is_filled_in(place: Place) -> None:
    got = place.content("wildcard", prompt="a __colour__ lighthouse", batch_size=2)

    assert got.code == "completed", got.error_text
    assert json.loads(got.out["info"])["all_prompts"] == ["a green lighthouse"] * 2
    assert got.receipts[0]["infotext"].startswith("a green lighthouse")
    plain = place.content("filled-in", prompt="a green lighthouse", batch_size=2)
    assert [one["sha256"] for one in got.receipts] == [one["sha256"] for one in plain.receipts]


@pytest.mark.parametrize(
    "content",
    [{"prompt": "a __season__ lighthouse"}, {"negative_prompt": "__season__"}],
)
def test_a_wildcard_that_was_not_filled_in_fails_the_task(place: Place, content: dict[str, Any]) -> None:
    got = place.content(f"no-{next(iter(content))}", **content)

    assert got.code == "invalid_content"
    assert "did not fill in __season__. Add wildcards/season.txt to the model bucket" in got.error_text


def test_a_wildcard_is_plain_text_if_the_extension_is_off(place: Place) -> None:
    got = place.content("off", prompt="a __season__ lighthouse", alwayson_scripts=OFF)

    assert got.code == "completed", got.error_text
    assert got.receipts[0]["infotext"].startswith("a __season__ lighthouse")
