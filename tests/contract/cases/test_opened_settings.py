"""A setting that the operator allowed is restored after the task, because the settings file names it."""

import pytest

from tests.contract.cases.place import OPENED, Place

pytestmark = pytest.mark.xdist_group("cases")


@pytest.mark.parametrize("value", [7, "7"])
def test_an_allowed_setting_is_applied_and_restored_after_the_task(place: Place, value: int | str) -> None:
    ((name, default),) = OPENED.items()
    outcome = place.content(f"opened-{type(value).__name__}", override_settings={name: value})

    assert outcome.code == "completed", outcome.error_text
    assert outcome.out["parameters"]["override_settings"] == {name: 7}
    assert place.option(name) == default


def test_a_setting_that_is_not_allowed_is_refused_with_advice_for_the_operator(place: Place) -> None:
    outcome = place.content("closed", override_settings={"interrogate_clip_max_length": 7})

    assert outcome.code == "invalid_task"
    assert "allowedSettings" in outcome.faults["/override_settings/interrogate_clip_max_length"]
