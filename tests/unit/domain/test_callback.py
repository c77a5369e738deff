"""The content and attributes of a callback, which are derived from the task's row."""

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
    """Return a row with a status; `values` override its other attributes."""
    common = {"id": "t", "runtime": "r", "tasktype": "text-to-image", "status": status.value, "context": None}
    return Row(common | values)


@given(context=JSON, status=st.sampled_from(Status), images=st.lists(st.text(), max_size=3))
def test_a_callback_has_all_keys_and_its_context_survives_json(
    context: object, status: Status, images: list[str]
) -> None:
    callback = json.loads(compact_json(callback_content(row(status, context=context, images=images))))
    assert set(callback) == KEYS
    assert callback["context"] == context
    assert callback["image_url"] == (images if status is Status.COMPLETED else [])


@pytest.mark.parametrize(
    ("status", "result"),
    [(Status.COMPLETED, True), (Status.FAILED, False), (Status.CANCELLED, False), (Status.RUNNING, None)],
)
def test_the_result_is_null_until_the_status_is_final(status: Status, result: bool | None) -> None:
    callback = callback_content(row(status))
    assert callback["result"] is result
    assert (callback["result"] is None) == (not status.final)


def test_the_attributes_let_a_subscriber_filter() -> None:
    attributes = callback_attributes(row(Status.FAILED))
    assert attributes == {"id": "t", "runtime": "r", "status": "failed", "tasktype": "text-to-image"}
