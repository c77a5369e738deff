"""Every outcome fits into its row (400 KB) and its callback (256 KB)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.table import write_item
from domain.callback import callback_content
from domain.canonical import compact_json
from domain.clock import iso
from domain.delivery import orphaned_objects
from domain.errors import ErrorCode
from domain.keys import s3_uri
from domain.limits import INLINE_CONTENT_BYTES, MAX_CONTEXT_BYTES, MAX_ERROR_LENGTH, MAX_MESSAGE_BYTES
from domain.message import Message
from domain.protocol import claim, end_unclaimed, finish, new_row, release
from domain.row import Row, Status
from domain.task import Task
from runtimes.sdwebui.task_type import TaskType
from tests.support.clock import NOW

ROW_BYTES = 400 * 1024

MESSAGE = Message(
    Task(
        "a" * 128,
        "r",
        TaskType.TEXT_TO_IMAGE,
        "\U0001f600" * 190,
        "c" * (MAX_CONTEXT_BYTES - 2),
        {"prompt": "x" * (INLINE_CONTENT_BYTES - 14)},
        "v1alpha2",
    ),
    "f0",
    iso(NOW),
)


def claimed_row() -> Row:
    """Return the largest row of a claimed task."""
    fresh = Row(new_row(MESSAGE, digest="d" * 64, now=NOW))
    return Row(claim(fresh, worker="w", fence="ffff", seconds=120, now=NOW).apply_to(fresh.item))


def size_bytes(row: Row) -> int:
    """Return a row's size as DynamoDB counts it: names and values in UTF-8, plus bytes for its structure."""

    def value_bytes(value: Any) -> int:
        (kind, inner), *_ = value.items()
        if kind == "L":
            return 3 + sum(1 + value_bytes(item) for item in inner)
        if kind == "M":
            return 3 + sum(1 + len(name.encode()) + value_bytes(item) for name, item in inner.items())
        return sum(len(text) for text in inner) if kind == "SS" else len(str(inner).encode())

    return sum(len(name.encode()) + value_bytes(value) for name, value in write_item(row.item).items())


def images(count: int) -> list[str]:
    """Return links to images under the longest prefix."""
    keys = MESSAGE.task.keys
    return [s3_uri("b" * 63, keys.image("ffff", number + 1, "png")) for number in range(count)]


@pytest.mark.parametrize("count", [1, 64, 5000])
def test_a_completed_task_fits_with_any_number_of_images(count: int) -> None:
    row = claimed_row()
    other_images = [key.replace("-ffff-", "-ffff-map-") for key in images(count)]
    change = finish(
        row, Status.COMPLETED, now=NOW, images=images(count), other_images=other_images, output="o"
    )
    finished_row = Row(change.apply_to(row.item))

    assert len(finished_row.other_images) + finished_row.item.get("other_images_left_out", 0) == count
    assert finished_row.other_images == other_images[: len(finished_row.other_images)]
    assert size_bytes(finished_row) < ROW_BYTES
    assert len(compact_json(callback_content(finished_row))) < MAX_MESSAGE_BYTES - 4096
    callback = callback_content(finished_row)
    assert len(callback["image_url"]) + callback.get("images_left_out", 0) == count
    assert callback["image_url"] == images(count)[: len(callback["image_url"])]


def test_a_row_names_up_to_sixty_four_images() -> None:
    row = claimed_row()
    short = [uri.replace("\U0001f600", "") for uri in images(64)]
    finished_row = Row(finish(row, Status.COMPLETED, now=NOW, images=short).apply_to(row.item))

    assert callback_content(finished_row)["image_url"] == short
    assert "images_left_out" not in callback_content(finished_row)


def test_an_error_of_any_length_is_shortened_in_an_outcome() -> None:
    row = claimed_row()
    error = {"code": "input_not_an_image", "message": "\U0001f600" * 300_000}
    failed = Row(finish(row, Status.FAILED, now=NOW, error=error).apply_to(row.item))
    released = Row(release(row, count_attempt=True, last_error=error).apply_to(row.item))
    message = "x" * 300_000
    ended_item = end_unclaimed(row, now=NOW, code=ErrorCode.TASK_ABANDONED, message=message).apply_to(
        row.item
    )

    for shortened in (failed.item["error"], released.item["last_error"], ended_item["error"]):
        assert len(shortened["message"]) == MAX_ERROR_LENGTH
    assert size_bytes(failed) < ROW_BYTES
    assert size_bytes(released) < ROW_BYTES
    assert len(compact_json(callback_content(failed))) < MAX_MESSAGE_BYTES - 4096


def test_images_that_the_row_cannot_name_are_not_taken_for_orphans() -> None:
    row = claimed_row()
    uris = images(5000)
    finished_row = Row(finish(row, Status.COMPLETED, now=NOW, images=uris).apply_to(row.item))
    other = uris[0].replace("-ffff-", "-0000-")

    assert orphaned_objects(finished_row, "f0", [*uris, other], finish_sent=True) == [other]


def test_a_shortened_callback_still_says_how_the_task_ended() -> None:
    row = claimed_row()
    finished_row = Row(
        finish(row, Status.COMPLETED, now=NOW, images=images(2), output="o").apply_to(row.item)
    )
    callback = callback_content(finished_row, brief=True)

    assert callback.keys() == callback_content(finished_row).keys() | {"images_left_out"}
    assert (callback["status"], callback["output_url"], callback["images_left_out"]) == ("completed", "o", 2)
    assert (callback["context"], callback["image_url"]) == (None, [])


def test_a_message_with_a_time_in_the_future_is_not_listed_before_all_others_forever() -> None:
    forged = replace(MESSAGE, submitted_at="9999-12-31T00:00:00.000Z")
    row = new_row(forged, digest="d", now=NOW)

    assert row["submitted_at"] == iso(NOW)
    assert row["submitted_at_id"].startswith(iso(NOW))
    assert new_row(MESSAGE, digest="d", now=NOW + timedelta(days=1))["submitted_at"] == iso(NOW)
