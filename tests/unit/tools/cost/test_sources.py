"""docs/cost.md says of each price what it was compared with."""

import pytest

from tools.cost import prices
from tools.cost.sources import compared_names, comparison_rows, price_names


def test_each_price_was_compared_once() -> None:
    instances = [*prices.GPU_INSTANCES, *prices.NAT_INSTANCES]
    names = compared_names()
    assert sorted(name.partition("[")[2].rstrip("]") for name in names if "[" in name) == sorted(instances)
    assert sorted(name for name in names if "[" not in name) == sorted(
        name for name in price_names() if not name.endswith("_INSTANCES")
    )


@pytest.mark.parametrize(
    "text", ["g6.xlarge $0.8048", "1,000 writes $0.005", "to SQS $0.40", "GB-second $0.0000133334"]
)
def test_rows_show_the_price_as_it_is_paid(text: str) -> None:
    assert any(text in priced for priced, _, _ in comparison_rows())


def test_a_share_is_shown_in_percent() -> None:
    assert any("ECS Managed Instances 7.8% of" in priced for priced, _, _ in comparison_rows())
