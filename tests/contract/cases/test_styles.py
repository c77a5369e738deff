"""Styles of the model bucket are applied whether or not SD Web UI has them."""

from typing import Any

import pytest

from tests.contract.cases.place import Place

pytestmark = pytest.mark.xdist_group("cases")
PROMPT = "a lighthouse at dusk"


def sha(place: Place, task_id: str, **content: Any) -> str:
    got = place.content(task_id, **content)
    assert got.code == "completed", got.error_text
    return str(got.receipts[0]["sha256"])


def test_a_style_of_the_bucket_equals_its_texts_written_out(place: Place) -> None:
    written_out = {
        "prompt": f"cinematic photo of {PROMPT}, 35mm, soft light",
        "negative_prompt": "blurry, drawing, sketch",
    }
    plain = sha(place, "written-out", **written_out)

    assert sha(place, "named", styles=["Cinematic photo", "Soft"], negative_prompt="blurry") == plain


def test_styles_of_the_bucket_and_of_sd_web_ui_are_applied_in_their_order(place: Place) -> None:
    got = place.content("both-kinds", styles=["Plain", "Soft"])
    assert got.code == "completed", got.error_text
    assert got.receipts[0]["infotext"].partition("\n")[0].endswith(", soft light")


def test_the_lora_of_a_style_is_loaded(place: Place) -> None:
    got = place.content("with-lora", styles=["Bare"])
    assert got.code == "completed", got.error_text
    assert "Lora hashes" in got.receipts[0]["infotext"]


def test_a_style_name_in_another_case_is_corrected_with_a_warning(place: Place) -> None:
    got = place.content("any-case", styles=["cinematic PHOTO"])
    assert got.code == "completed", got.error_text
    assert got.warnings == {"/styles/0": "taken as Cinematic photo"}


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
    got = place.content(f"refused-{abs(hash(why))}", **content)
    assert got.code == "invalid_content"
    assert why in got.error_text
