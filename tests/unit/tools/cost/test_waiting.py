"""The cost of a request that waits has the function's time, the request and the reads."""

import pytest

from functions.api.waiting import MAX_SECONDS
from tools.cost import prices
from tools.cost.__main__ import PAGE
from tools.cost.synthesis import Deployment
from tools.cost.waiting import READS, wait_dollars


def deployment(memory_mib: int) -> Deployment:
    """Return templates with two functions, of which one waits."""
    functions = {
        "ApiFunction1234": {"Type": "AWS::Lambda::Function", "Properties": {"MemorySize": 1769}},
        "WaitFunction5678": {"Type": "AWS::Lambda::Function", "Properties": {"MemorySize": memory_mib}},
        "WaitFunctionRole90": {"Type": "AWS::IAM::Role"},
    }
    return Deployment(({"Resources": functions}, {"Resources": {}}))


def test_a_million_waits_cost_about_90_dollars_most_of_it_the_functions_time() -> None:
    assert 1e6 * wait_dollars(deployment(256), row_bytes=1) == pytest.approx(90.3, abs=0.1)


def test_twice_the_memory_costs_twice_the_time() -> None:
    small, large = (wait_dollars(deployment(memory), row_bytes=1) for memory in (256, 512))
    assert large - small == pytest.approx(MAX_SECONDS * 0.25 * prices.LAMBDA_GB_SECOND)


def test_a_row_of_4_kb_is_one_unit_for_each_read_and_a_byte_more_another() -> None:
    small, large = (wait_dollars(deployment(256), row_bytes=size) for size in (4096, 4097))
    assert READS == 26
    assert large - small == pytest.approx(26 * prices.DYNAMODB_READ)


def test_the_page_has_the_cost_of_a_million_waits() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert "a million waits of 25 s at 256 MiB cost $90" in text
