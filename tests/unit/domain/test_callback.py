"""The callback says what the row says, whatever that is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.callback import callback_attributes, callback_content
from domain.canonical import compact_json
from domain.row import Row, Status

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = {"id", "runtime", "result", "status", "image_url", "output_url", "context", "error"}


def row(status: Status, **values: object) -> Row:
    """Return a row in a state."""
    common = {"id": "t", "runtime": "r", "tasktype": "text-to-image", "status": status.value, "context": None}
    return Row(common | values)


@given(context=JSON, status=st.sampled_from(Status), images=st.lists(st.text(), max_size=3))
def test_all_keys_are_there_and_the_context_comes_back_as_it_came(
    context: object, status: Status, images: list[str]
) -> None:
    """Through the wire and back."""
    told = json.loads(compact_json(callback_content(row(status, context=context, images=images))))
    assert set(told) == KEYS
    assert told["context"] == context
    assert told["image_url"] == (images if status is Status.COMPLETED else [])


@pytest.mark.parametrize(
    ("status", "result"),
    [(Status.COMPLETED, True), (Status.FAILED, False), (Status.CANCELLED, False), (Status.RUNNING, None)],
)
def test_the_result_follows_from_the_status(status: Status, result: bool | None) -> None:
    """Null while it runs."""
    told = callback_content(row(status))
    assert told["result"] is result
    assert (told["result"] is None) == (not status.final)


def test_a_subscriber_can_filter() -> None:
    """By what SNS shows beside the body."""
    told = callback_attributes(row(Status.FAILED))
    assert told == {"id": "t", "runtime": "r", "status": "failed", "tasktype": "text-to-image"}
