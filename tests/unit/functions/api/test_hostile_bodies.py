"""No body needs more memory, or gets a longer response, than Lambda, the table and the topics allow."""

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.hostile_bodies import TEMPLATES, BodyTemplate
from domain.body import parse_body
from domain.canonical import compact_json
from domain.envelope import Submission
from domain.errors import BadMessage, InvalidTask, bounded_faults
from domain.limits import INLINE_CONTENT_BYTES, MAX_BODY_BYTES, MAX_MESSAGE_BYTES
from domain.message import Message
from domain.protocol import new_row
from domain.routing import Runtime, Runtimes
from functions.api import v1alpha1, v1alpha2
from functions.api.response_bodies import error_body
from tests.support.clock import NOW

MAX_MEMORY_BYTES = 256 << 20
MAX_RESPONSE_BYTES = 1 << 20

RUNTIMES = Runtimes([Runtime("sdruntime", dynamic_model=True, model_filename="a.safetensors")])

UNITS = st.recursive(
    st.sampled_from(['"~"', '"#"', "0", "1.5", "null", '"\\u00e9~"', '"<a:~"', '"\U0001f600"']),
    lambda inner: st.builds("[{}]".format, inner) | st.builds('{{"image": {}}}'.format, inner),
    max_leaves=4,
)
FIELDS = st.builds('"#{}~": {}'.format, st.sampled_from(["", "_dir", "é", "_prompt", "/"]), UNITS)
TEMPLATES_OF_FIELDS = [template for template in TEMPLATES.values() if "{@}" in template.content]
TEMPLATES_OF_ELEMENTS = [template for template in TEMPLATES.values() if "[@]" in template.content]
BODIES = st.one_of(
    st.sampled_from(list(TEMPLATES.values())),
    st.builds(
        lambda template, unit: replace(template, unit=unit), st.sampled_from(TEMPLATES_OF_FIELDS), FIELDS
    ),
    st.builds(
        lambda template, unit: replace(template, unit=unit), st.sampled_from(TEMPLATES_OF_ELEMENTS), UNITS
    ),
)


@contextmanager
def bounded_memory(max_bytes: int) -> Iterator[None]:
    """Fail if the block has allocated more than `max_bytes` at any time."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < max_bytes, f"{peak / (1 << 20):.0f} MiB"


def checked(raw: bytes, version: str) -> Submission | InvalidTask:
    """Return the result of checking a body as the API does."""
    try:
        body = parse_body(raw)
        if version == "v1alpha2":
            return v1alpha2.decode(body, RUNTIMES)
        scripts = {"task": "text-to-image", "id_task": "a", "sd_model_checkpoint": "a"}
        content = body["task"].get("content", {})
        return v1alpha1.decode(content | {"alwayson_scripts": scripts | _scripts(content)}, RUNTIMES)
    except InvalidTask as refusal:
        return refusal


def _scripts(content: dict[str, object]) -> dict[str, object]:
    scripts = content.get("alwayson_scripts")
    return scripts if isinstance(scripts, dict) else {}


@pytest.mark.long
@pytest.mark.timeout(600)
@settings(max_examples=25, derandomize=True, deadline=None, database=None)
@given(
    template=BODIES,
    size=st.sampled_from([MAX_BODY_BYTES, MAX_BODY_BYTES // 8]),
    version=st.sampled_from(["v1alpha1", "v1alpha2"]),
)
def test_a_body_is_checked_in_bounded_memory_with_a_bounded_response(
    template: BodyTemplate, size: int, version: str
) -> None:
    raw = template.body(size)
    with bounded_memory(MAX_MEMORY_BYTES):
        response = checked(raw, version)
        if isinstance(response, InvalidTask):
            answer = json.dumps(error_body(response.code, response.message, response.faults))
        else:
            answer = json.dumps([warning.as_dict() for warning in bounded_faults(response.warnings)])
    assert len(answer) < MAX_RESPONSE_BYTES
    if isinstance(response, Submission):
        content = response.task.content
        stored_content = {} if len(compact_json(content)) > INLINE_CONTENT_BYTES else content
        message = Message(replace(response.task, content=stored_content), "f0", "2026-11-22T12:00:00.000Z")
        assert Message.decode(message.encode()) == message, (
            "the worker can read the message of an accepted task"
        )
        assert len(new_row(message, digest="d", now=NOW)["message"]) < MAX_MESSAGE_BYTES // 2


@pytest.mark.parametrize("image", ["x~", "https://h/~"])
def test_images_below_long_names_are_counted_in_bounded_memory(image: str) -> None:
    template = replace(TEMPLATES["images below long names"], unit=f'"#": {{"image": "{image}"}}')
    raw = template.body(MAX_BODY_BYTES // 8)
    with bounded_memory(MAX_MEMORY_BYTES // 2):
        response = checked(raw, "v1alpha2")
    assert isinstance(response, InvalidTask)
    assert all("at most" in fault.message for fault in response.faults)


@settings(max_examples=25, derandomize=True, deadline=None, database=None)
@given(template=BODIES)
def test_a_message_from_anywhere_is_read_in_bounded_memory(template: BodyTemplate) -> None:
    task = json.loads(template.body(MAX_MESSAGE_BYTES - 200))["task"]
    task["metadata"] |= {"submission_id": "f0", "submitted_at": "2026-11-22T12:00:00Z"}
    raw = json.dumps(task, ensure_ascii=False)
    with bounded_memory(64 << 20), suppress(BadMessage):
        Message.decode(raw)
