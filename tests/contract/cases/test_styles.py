"""Styles of the model bucket are applied whether or not SD Web UI has them.

A style is a named text for the prompt and one for the negative prompt; the bucket keeps them in `styles.csv`.
"""

from typing import Any

import pytest

from tests.contract.cases.place import Place

pytestmark = pytest.mark.xdist_group("cases")
PROMPT = "a lighthouse at dusk"


def picture_hash(place: Place, task_id: str, **content: Any) -> str:
    outcome = place.content(task_id, **content)
    assert outcome.code == "completed", outcome.error_text
    return str(outcome.receipts[0]["sha256"])


def test_a_style_of_the_bucket_equals_its_texts_written_out(place: Place) -> None:
    written_out = {
        "prompt": f"cinematic photo of {PROMPT}, 35mm, soft light",
        "negative_prompt": "blurry, drawing, sketch",
    }
    plain = picture_hash(place, "written-out", **written_out)

    assert picture_hash(place, "named", styles=["Cinematic photo", "Soft"], negative_prompt="blurry") == plain


def test_styles_of_the_bucket_and_of_sd_web_ui_are_applied_in_their_order(place: Place) -> None:
    outcome = place.content("both-kinds", styles=["Plain", "Soft"])
    assert outcome.code == "completed", outcome.error_text
    assert outcome.receipts[0]["infotext"].partition("\n")[0].endswith(", soft light")


def test_the_lora_of_a_style_is_loaded(place: Place) -> None:
    outcome = place.content("with-lora", styles=["Bare"])
    assert outcome.code == "completed", outcome.error_text
    assert "Lora hashes" in outcome.receipts[0]["infotext"]


def test_a_style_name_in_another_case_is_corrected_with_a_warning(place: Place) -> None:
    outcome = place.content("any-case", styles=["cinematic PHOTO"])
    assert outcome.code == "completed", outcome.error_text
    assert outcome.warnings == {"/styles/0": "taken as Cinematic photo"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"styles": ["Cinematik photo"]}, "nearest is 'Cinematic photo'; add it to styles.csv"),
        ({"styles": ["Doubling"] * 64}, "more than 10000 characters"),
        ({"styles": ["Soft"], "script_name": "Prompt matrix", "script_args": [False] * 5}, "cannot be used"),
        ({"styles": ["Bare"], "disable_extra_networks": True}, "names networks"),
    ],
)
def test_a_style_that_cannot_be_applied_fails_the_task(
    place: Place, content: dict[str, Any], why: str
) -> None:
    outcome = place.content(f"refused-{abs(hash(why))}", **content)
    assert outcome.code == "invalid_content"
    assert why in outcome.error_text
