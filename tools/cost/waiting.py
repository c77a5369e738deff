"""Compute what requests cost that wait for a task, each as long as the API allows."""

from typing import Final

from functions.api.waiting import CHECK_SECONDS, MAX_SECONDS
from tools.cost import prices
from tools.cost.synthesis import Deployment

WAIT_FUNCTION: Final = "WaitFunction"
"""A part of the logical id of the function in the templates, and of no other function's."""

READS: Final = int(MAX_SECONDS / CHECK_SECONDS) + 1
"""One at once, then one after each pause."""

UNIT_BYTES: Final = 4096
"""What a unit reads of a row, strongly consistent."""


def memory_mib(deployment: Deployment) -> int:
    """Return the memory of the function that waits, as its template says."""
    (memory,) = (
        resource["Properties"]["MemorySize"]
        for name, resource in deployment.resources.items()
        if resource["Type"] == "AWS::Lambda::Function" and WAIT_FUNCTION in name
    )
    return int(memory)


def read_dollars(row_bytes: int) -> float:
    """Return what the reads of a row of that size cost during a wait."""
    units = -(-row_bytes // UNIT_BYTES)
    return READS * units * prices.DYNAMODB_READ


def wait_dollars(deployment: Deployment, *, row_bytes: int) -> float:
    """Return what a wait costs: the request, the function's time and its reads of a row of that size."""
    function_seconds = MAX_SECONDS * memory_mib(deployment) / 1024 * prices.LAMBDA_GB_SECOND
    return prices.API_REQUEST + prices.LAMBDA_REQUEST + function_seconds + read_dollars(row_bytes)
