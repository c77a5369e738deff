"""The write units of a task."""

from typing import Any

import pytest

from tools.cost.rows import write_units


def index(*keys: str, also: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return an index as the template has it."""
    return {
        "KeySchema": [{"AttributeName": key} for key in keys],
        "Projection": {"NonKeyAttributes": list(also)} if also else {},
    }


def test_a_small_task_writes_one_unit_for_each_of_its_six_changes() -> None:
    assert write_units([], content_bytes=1) == 6


def test_a_larger_task_writes_more_until_its_outcome_removes_the_message() -> None:
    """A row is written five times: inserted, published, claimed, started, finished.

    DynamoDB bills a write by the larger of the row before and after it.
    """
    assert write_units([], content_bytes=1000) == 5 * 2 + 1


@pytest.mark.parametrize(
    ("row", "units"),
    [
        (index("status"), 1 + 2 + 2),  # inserted, then moved twice: running, completed
        (index("runtime"), 1),  # inserted, and never changed
        (index("runtime", also=("status",)), 1 + 1 + 1),  # changed in place
        (index("pending_runtime"), 4),  # inserted and removed twice: published, notified
    ],
)
def test_an_index_writes_what_changes_in_it(row: dict[str, Any], units: int) -> None:
    assert write_units([row], content_bytes=1) - write_units([], content_bytes=1) == units
