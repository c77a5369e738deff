"""Fields that only one kind of SD Web UI has are told where they have no effect."""

from typing import Any

import pytest

from tests.contract.cases.place import Place

pytestmark = pytest.mark.xdist_group("cases")


def test_a_field_that_only_forge_has_is_told_on_automatic1111(place: Place) -> None:
    hires: dict[str, Any] = {
        "enable_hr": True,
        "hr_upscaler": "Latent",
        "hr_cfg": 3,
        "denoising_strength": 0.5,
    }
    got = place.content("forge-fields", distilled_cfg_scale=3.5, **hires)

    assert got.code == "completed", got.told
    expected = set() if place.flavor == "forge" else {"/distilled_cfg_scale", "/hr_cfg"}
    assert got.warnings.keys() == expected
