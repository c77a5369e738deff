"""Decisions about a delivered message, the callback of a row, and the names of objects."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.callback import callback_attributes, callback_content
from domain.clock import iso, iso_after, parse
from domain.delivery import Action, decide, orphaned_objects, remaining_lease_seconds
from domain.errors import ErrorCode
from domain.keys import OutputKeys, content_key, s3_uri, split_s3_uri
from domain.limits import MAX_ATTEMPTS
from domain.message import Message
from domain.protocol import new_row, resubmit
from domain.row import Row
from domain.task import Task
from runtimes.sdwebui.task_type import TaskType
from tests.support.clock import NOW

MESSAGE = Message(
    Task("a", "r", TaskType.TEXT_TO_IMAGE, "output", {"k": 1}, {}, "v1alpha2", uid="u"), "f0", iso(NOW)
)


def row(**values: Any) -> Row:
    """Return the message's row with some attributes changed."""
    return Row(new_row(MESSAGE, digest="d", now=NOW) | values)


PAST, FUTURE = iso_after(NOW, -1), iso_after(NOW, 7.5)


@pytest.mark.parametrize(
    ("stored_row", "action"),
    [
        (None, Action.CREATE_ROW),
        (row(submission_id="f1"), Action.DELETE_MESSAGE),
        (row(submission_id="f1", status="completed"), Action.DELETE_MESSAGE),
        (row(status="completed", notified_at=PAST), Action.DELETE_MESSAGE),
        (row(status="cancelled"), Action.NOTIFY),
        (row(status="failed", lease_until=FUTURE), Action.NOTIFY),
        (row(), Action.CLAIM),
        (row(status="running", lease_until=PAST), Action.CLAIM),
        (row(lease_until=FUTURE), Action.WAIT),
        (row(lease_until=FUTURE, cancel_requested=PAST, attempts=MAX_ATTEMPTS), Action.WAIT),
        (row(lease_until=iso(NOW)), Action.WAIT),
        (row(attempts=MAX_ATTEMPTS - 1, lease_until=PAST), Action.CLAIM),
        (row(attempts=MAX_ATTEMPTS, lease_until=PAST), Action.END_UNCLAIMED),
        (row(status="running", cancel_requested=PAST, lease_until=PAST), Action.END_UNCLAIMED),
    ],
)
def test_the_row_decides_what_happens_to_a_delivery(stored_row: Row | None, action: Action) -> None:
    assert decide(stored_row, MESSAGE, NOW).action is action


def test_an_abandoned_task_says_whether_it_was_cancelled_or_ran_out_of_attempts() -> None:
    cancelled = decide(row(cancel_requested=PAST), MESSAGE, NOW)
    last_error = {"code": "aws_unavailable", "message": "S3 was down."}
    without_attempts = decide(row(attempts=MAX_ATTEMPTS, last_error=last_error), MESSAGE, NOW)

    assert cancelled.code is ErrorCode.CANCELLED
    assert without_attempts.code is ErrorCode.TASK_ABANDONED
    assert f"{MAX_ATTEMPTS} attempts" in without_attempts.message
    assert "S3 was down." in without_attempts.message


@given(milliseconds=st.integers(-5_000, 200_000))
def test_the_waiting_time_is_rounded_up_to_the_end_of_the_lease(milliseconds: int) -> None:
    leased = row(lease_until=iso(NOW + timedelta(milliseconds=milliseconds)))

    seconds = remaining_lease_seconds(leased, NOW)

    assert (seconds == 0) == (milliseconds < 0)
    assert remaining_lease_seconds(leased, NOW + timedelta(seconds=seconds)) == 0
    assert seconds <= max(0, milliseconds) / 1000 + 1


def test_a_worker_that_lost_its_lease_deletes_only_objects_that_the_row_does_not_name() -> None:
    links = ["s3://b/1", "s3://b/map-1", "s3://b/o"]
    named_row = row(status="completed", images=links[:1], other_images=links[1:2], output="s3://b/o")

    assert orphaned_objects(row(), "f0", links, finish_sent=True) == links
    assert orphaned_objects(named_row, "f0", links, finish_sent=True) == []
    assert orphaned_objects(row(submission_id="f1"), "f0", links, finish_sent=False) == links
    assert orphaned_objects(row(submission_id="f1"), "f0", links, finish_sent=True) == []
    assert orphaned_objects(None, "f0", links, finish_sent=True) == []


def test_objects_of_other_fences_are_orphaned_and_those_of_the_last_one_unless_the_task_completed() -> None:
    fences = frozenset({"0001", "0002"})

    assert row(status="completed", fence="0002", fences=fences).orphan_fences == {"0001"}
    assert row(status="failed", fence="0002", fences=fences).orphan_fences == fences
    assert row(status="cancelled").orphan_fences == frozenset()


def test_a_finished_task_is_not_resubmitted_before_its_callback() -> None:
    with pytest.raises(ValueError, match="callback"):
        resubmit({}, row(status="completed"))


@pytest.mark.parametrize(
    ("status", "result", "callback_status"),
    [
        ("queued", None, "running"),
        ("running", None, "running"),
        ("completed", True, "completed"),
        ("failed", False, "failed"),
    ],
)
def test_a_callback_names_images_only_if_the_task_completed(
    status: str, result: object, callback_status: str
) -> None:
    finished_row = row(status=status, images=["s3://b/1"], output="s3://b/o", error=None)

    assert callback_content(finished_row) == {
        "id": "a",
        "runtime": "r",
        "result": result,
        "status": callback_status,
        "image_url": ["s3://b/1"] if status == "completed" else [],
        "output_url": "s3://b/o",
        "context": {"k": 1},
        "error": None,
    }
    assert callback_attributes(finished_row) == {
        "id": "a",
        "runtime": "r",
        "status": callback_status,
        "tasktype": "text-to-image",
    }


def test_the_callback_of_a_cancelled_task_has_a_false_result_and_an_error() -> None:
    error = {"code": "cancelled", "message": "Cancelled by its caller."}
    content = callback_content(row(status="cancelled", error=error))

    assert (content["result"], content["error"], content["output_url"], content["image_url"]) == (
        False,
        error,
        None,
        [],
    )


IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,12}", fullmatch=True)
SEGMENTS = st.from_regex(r"[a-z0-9-]{1,6}", fullmatch=True)
KEYS = st.builds(OutputKeys, prefix=st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join), id=IDS)
FENCES = st.from_regex(r"[0-9a-f]{4}", fullmatch=True)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(keys=KEYS, other_keys=KEYS, fence=FENCES, number=st.integers(1, 9999))
def test_object_keys_are_recognized_by_task_and_fence(
    keys: OutputKeys, other_keys: OutputKeys, fence: str, number: int
) -> None:
    names = (
        keys.image(fence, number, "png"),
        keys.other_image(fence, "grid", 1, "webp"),
        keys.output_document(fence),
    )
    nested = OutputKeys(prefix=keys.folder, id=f"{keys.id}-{fence}")

    assert all(keys.could_have_written(fence, name) and name.startswith(f"{keys.folder}/") for name in names)
    assert not any(
        keys.could_have_written(fence, key)
        for key in (nested.image(fence, 1, "png"), nested.output_document(fence))
    )
    if other_keys != keys:
        assert not any(other_keys.could_have_written(fence, name) for name in names)


def test_links_and_times_can_be_parsed_again() -> None:
    assert split_s3_uri(s3_uri("b", content_key("a", "f0"))) == ("b", "content/a/f0.json")
    assert parse(iso(NOW)) == NOW
    for wrong in ("s3://b", "s3:///k", "https://b/k", "b/k", ""):
        with pytest.raises(ValueError, match="s3://"):
            split_s3_uri(wrong)
