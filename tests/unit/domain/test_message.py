"""The message of a task: what is encoded can be decoded, and anything else raises BadMessage."""

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.canonical import canonical_json, compact_json
from domain.errors import BadMessage
from domain.message import Message
from domain.task import Task
from runtimes.sdwebui.task_type import TaskType

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
TASKS = st.builds(
    Task,
    id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    runtime=st.sampled_from(["sdruntime", "ü"]),
    tasktype=st.sampled_from(TaskType),
    prefix=st.sampled_from(["output", "a/b", "日本"]),
    context=JSON,
    content=st.dictionaries(TEXT, JSON, max_size=4),
    api_version=st.sampled_from(["v1alpha1", "v1alpha2"]),
    uid=st.none() | TEXT,
)
MESSAGES = st.builds(
    Message,
    task=TASKS,
    submission_id=st.just("0123456789abcdef"),
    submitted_at=st.just("2026-11-22T12:00:00.000Z"),
    trace=st.none() | st.just("Root=1-2-3"),
)
MESSAGE = Message(
    Task("a", "r", TaskType.TEXT_TO_IMAGE, "output", None, {"prompt": "x"}, "v1alpha2"),
    "f0",
    "2026-11-22T12:00:00.000Z",
)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(message=MESSAGES)
def test_a_message_round_trips_as_ascii(message: Message) -> None:
    raw = message.encode()
    without_content = replace(message, task=replace(message.task, content={}), content_ref="s3://b/k")

    assert raw.isascii()
    assert raw.isprintable()
    assert Message.decode(raw) == message
    assert Message.decode(without_content.encode()) == without_content
    assert without_content.with_content(message.task.content) == message
    assert Message.decode(raw).task.digest == message.task.digest


def test_unknown_metadata_of_a_newer_publisher_is_ignored() -> None:
    body = json.loads(MESSAGE.encode())
    body["metadata"]["caller"] = {"x": 1}
    body["more"] = 1

    assert Message.decode(json.dumps(body)) == MESSAGE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *itertools.product(
            ("id", "runtime", "tasktype", "prefix", "submission_id", "submitted_at"), (None, "", 7, [])
        ),
        *itertools.product(("id", "tasktype", "prefix", "submitted_at"), ("a\x00/../b",)),
    ],
)
def test_missing_or_invalid_metadata_is_a_bad_message(name: str, value: Any) -> None:
    body = json.loads(MESSAGE.encode())
    body["metadata"][name] = value
    raw = json.dumps(body)
    with pytest.raises(BadMessage) as error:
        Message.decode(raw)

    assert error.value.raw == raw


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(
    raw=st.text(max_size=40)
    | JSON.map(json.dumps)
    | st.builds(
        lambda metadata, members: json.dumps({"metadata": metadata, **members}),
        st.dictionaries(st.sampled_from(list(json.loads(MESSAGE.encode())["metadata"])), JSON | st.just("a")),
        st.dictionaries(st.sampled_from(["content", "content_ref"]), JSON),
    )
)
def test_any_text_is_a_message_or_a_bad_message(raw: str) -> None:
    try:
        Message.decode(raw)
        original = raw
    except BadMessage as error:
        original = error.raw
    assert original == raw


@pytest.mark.parametrize(
    "raw",
    [
        "[" * 100_000,
        MESSAGE.encode().replace("2026-11-22T12:00:00.000Z", "0001-01-01T00:00:00+23:00"),
        '{"metadata": {}, "content": {"a": ' + "9" * 5000 + "}}",
        MESSAGE.encode().replace('"x"', "NaN"),
        MESSAGE.encode().replace('"x"', "1e999"),
        MESSAGE.encode().replace('"x"', '"\\ud800"'),
        MESSAGE.encode().replace('"x"', "[" * 40 + "]" * 40),
    ],
)
def test_json_that_makes_python_fail_is_a_bad_message(raw: str) -> None:
    with pytest.raises(BadMessage):
        Message.decode(raw)


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(value=JSON)
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: Any) -> None:
    assert canonical_json(json.loads(compact_json(value))) == canonical_json(value)
