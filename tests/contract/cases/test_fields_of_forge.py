"""Warnings about fields that only Forge has."""

from typing import Any

import pytest

from tests.contract.cases.place import Place

pytestmark = pytest.mark.xdist_group("cases")


def test_a_field_of_forge_is_warned_about_on_automatic1111(place: Place) -> None:
    hires: dict[str, Any] = {
        "enable_hr": True,
        "hr_upscaler": "Latent",
        "hr_cfg": 3,
        "denoising_strength": 0.5,
    }
    outcome = place.content("forge-fields", distilled_cfg_scale=3.5, **hires)

    assert outcome.code == "completed", outcome.error_text
    expected = set() if place.flavor == "forge" else {"/distilled_cfg_scale", "/hr_cfg"}
    assert outcome.warnings.keys() == expected
