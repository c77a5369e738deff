"""Each case, a request as users send it, has the expected outcome on both kinds of SD Web UI."""

import pytest

from tests.contract.cases.packed import bodies
from tests.contract.cases.place import Place
from tests.contract.cases.wanted import EXPECTED, expected_outcome

pytestmark = pytest.mark.xdist_group("cases")


def test_every_case_has_an_expected_outcome() -> None:
    assert EXPECTED.keys() == bodies().keys()


@pytest.mark.parametrize("case", sorted(EXPECTED))
def test_a_request_of_a_user_has_the_expected_outcome(case: str, place: Place) -> None:
    expected = expected_outcome(case, place.flavor)
    outcome = place.case(case)

    assert outcome.code == expected.code, outcome.error_text
    assert expected.error_text in outcome.error_text
    if outcome.callback is None:
        assert outcome.faults.keys() == expected.faults.keys()
        for path, text in expected.faults.items():
            assert text in outcome.faults[path]
    if outcome.code == "completed":
        assert outcome.warnings.keys() == expected.warnings.keys()
        for path, text in expected.warnings.items():
            assert text in outcome.warnings[path]
        assert len(outcome.callback["image_url"]) == len(outcome.receipts) == expected.pictures  # type: ignore[index]
        assert sum(image["kind"] == "map" for image in outcome.out["images"]) == expected.maps
        for receipt in outcome.receipts:
            assert expected.size in (None, (receipt["width"], receipt["height"]))
        for text in expected.infotext:
            assert text in outcome.receipts[0]["infotext"]
