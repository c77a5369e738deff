"""Each request that users have sent has the expected outcome."""

import pytest

from tests.contract.cases.packed import bodies
from tests.contract.cases.place import Place
from tests.contract.cases.wanted import WANTED, wanted

pytestmark = pytest.mark.xdist_group("cases")


def test_every_case_has_an_expected_outcome() -> None:
    assert WANTED.keys() == bodies().keys()


@pytest.mark.parametrize("case", sorted(WANTED))
def test_a_request_of_a_user_has_the_expected_outcome(case: str, place: Place) -> None:
    want = wanted(case, place.flavor)
    got = place.case(case)

    assert got.code == want.code, got.error_text
    assert want.error_text in got.error_text
    if got.callback is None:
        assert got.faults.keys() == want.faults.keys()
        for path, text in want.faults.items():
            assert text in got.faults[path]
    if got.code == "completed":
        assert got.warnings.keys() == want.warnings.keys()
        for path, text in want.warnings.items():
            assert text in got.warnings[path]
        assert len(got.callback["image_url"]) == len(got.receipts) == want.pictures  # type: ignore[index]
        assert sum(one["kind"] == "map" for one in got.out["images"]) == want.maps
        for one in got.receipts:
            assert want.size in (None, (one["width"], one["height"]))
        for text in want.infotext:
            assert text in got.receipts[0]["infotext"]
