"""Each request that people sent comes to what they should get."""

import pytest

from tests.contract.cases.packed import bodies
from tests.contract.cases.place import Place
from tests.contract.cases.wanted import WANTED, wanted

pytestmark = pytest.mark.xdist_group("cases")


def test_every_case_is_wanted_to_come_to_something() -> None:
    assert WANTED.keys() == bodies().keys()


@pytest.mark.parametrize("case", sorted(WANTED))
def test_a_request_that_people_sent_comes_to_what_they_should_get(case: str, place: Place) -> None:
    want = wanted(case, place.flavor)
    got = place.case(case)

    assert got.code == want.code, got.told
    assert want.told in got.told
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
