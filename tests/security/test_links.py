"""Links of untrusted callers: all cases of links.yaml."""

import pytest

from container.consumer.inputs import fetch
from tests.security.cases import Case, cases
from tests.support.internet import FakeInternet


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.group}: {case.name}") for case in cases()])
def test_a_link_is_followed_only_to_allowed_targets_and_errors_reveal_nothing(
    case: Case, internet: FakeInternet
) -> None:
    case.check(internet, fetch)
