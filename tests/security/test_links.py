"""What strangers may link to: every case of links.yaml."""

import pytest

from container.consumer.inputs import fetch
from tests.security.cases import Case, cases
from tests.support.internet import World


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.group}: {case.name}") for case in cases()])
def test_link(case: Case, internet: World) -> None:
    """A link is followed only where it may lead, and told about only in our own words."""
    case.check(internet, fetch)
