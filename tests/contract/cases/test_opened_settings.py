"""A setting that the operator opened ends with the task, because the settings file names it."""

import pytest

from tests.contract.cases.place import OPENED, Place

pytestmark = pytest.mark.xdist_group("cases")


@pytest.mark.parametrize("value", [7, "7"])
def test_an_opened_setting_is_taken_and_back_after_the_task(place: Place, value: int | str) -> None:
    ((name, default),) = OPENED.items()
    got = place.content(f"opened-{type(value).__name__}", override_settings={name: value})

    assert got.code == "completed", got.told
    assert got.out["parameters"]["override_settings"] == {name: 7}
    assert place.option(name) == default


def test_a_setting_that_is_not_opened_is_refused_with_what_the_operator_can_do(place: Place) -> None:
    got = place.content("closed", override_settings={"interrogate_clip_max_length": 7})

    assert got.code == "invalid_task"
    assert "allowedSettings" in got.faults["/override_settings/interrogate_clip_max_length"]
