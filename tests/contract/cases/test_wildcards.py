"""Wildcards of the model bucket are filled in, or the task fails.

A wildcard is a word between double underscores, which an extension replaces by a line of a file of this name.
"""

import json
from typing import Any

import pytest

from tests.contract.cases.place import Place

pytestmark = pytest.mark.xdist_group("cases")
SWITCHED_OFF = {"Dynamic Prompts v2.17.1": {"args": [False, False]}}
"""The extension that fills wildcards in, with the arguments that switch it off."""


def test_a_wildcard_of_the_bucket_is_filled_in(place: Place) -> None:
    outcome = place.content("wildcard", prompt="a __colour__ lighthouse", batch_size=2)

    assert outcome.code == "completed", outcome.error_text
    assert json.loads(outcome.out["info"])["all_prompts"] == ["a green lighthouse"] * 2
    assert outcome.receipts[0]["infotext"].startswith("a green lighthouse")
    plain = place.content("filled-in", prompt="a green lighthouse", batch_size=2)
    assert [receipt["sha256"] for receipt in outcome.receipts] == [
        receipt["sha256"] for receipt in plain.receipts
    ]


@pytest.mark.parametrize(
    "content",
    [{"prompt": "a __season__ lighthouse"}, {"negative_prompt": "__season__"}],
)
def test_a_wildcard_that_was_not_filled_in_fails_the_task(place: Place, content: dict[str, Any]) -> None:
    outcome = place.content(f"no-{next(iter(content))}", **content)

    assert outcome.code == "invalid_content"
    assert "did not fill in __season__. Add wildcards/season.txt to the model bucket" in outcome.error_text


def test_a_wildcard_is_plain_text_if_the_extension_is_off(place: Place) -> None:
    outcome = place.content("off", prompt="a __season__ lighthouse", alwayson_scripts=SWITCHED_OFF)

    assert outcome.code == "completed", outcome.error_text
    assert outcome.receipts[0]["infotext"].startswith("a __season__ lighthouse")
