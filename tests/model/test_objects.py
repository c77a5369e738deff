"""Which stored objects are deleted after an outcome, and which ones a worker without a lease may delete."""

import secrets
from typing import Any

import pytest

from adapters.orphans import OrphanCleaner
from container.consumer.job import Delivery, Job
from container.consumer.lifecycle.outputs import Store, Stored
from domain.keys import SUBMISSION_METADATA, OutputKeys, s3_uri
from domain.message import Message
from domain.protocol import new_row
from domain.row import Row
from domain.task import Task
from local.emulator import Emulator
from runtimes.sdwebui.task_type import TaskType
from tests.support.clock import NOW

MESSAGE = Message(
    Task("a", "r", TaskType.TEXT_TO_IMAGE, "output", None, {}, "v1alpha2"), "f0", "2026-11-22T12:00:00.000Z"
)
KEYS = MESSAGE.task.keys


@pytest.fixture
def bucket(aws: Emulator) -> str:
    """Create an empty bucket."""
    name = f"objects-{secrets.token_hex(4)}"
    aws.client("s3").create_bucket(Bucket=name)
    return name


def _row(**values: Any) -> Row:
    return Row(new_row(MESSAGE, digest="d", now=NOW) | values)


def _put(aws: Emulator, bucket: str, key: str, submission_id: str = "f0") -> None:
    aws.client("s3").put_object(
        Bucket=bucket, Key=key, Body=b"x", Metadata={SUBMISSION_METADATA: submission_id}
    )


def _keys(aws: Emulator, bucket: str) -> set[str]:
    return {entry["Key"] for entry in aws.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])}


def test_only_orphaned_objects_of_this_submission_are_deleted(aws: Emulator, bucket: str) -> None:
    kept_keys = {KEYS.image("0002", 1, "png"), KEYS.output_document("0002")}
    unrelated = {
        KEYS.image("0001", 9, "png"),
        OutputKeys(KEYS.folder, "a-0001").output_document("0001"),
        f"{KEYS.folder}/a-0001",
    }
    orphans = {
        KEYS.image("0001", 1, "png"),
        KEYS.other_image("0001", "grid", 1, "png"),
        KEYS.output_document("0001"),
    }
    for key in kept_keys | orphans:
        _put(aws, bucket, key)
    for key in unrelated:
        _put(aws, bucket, key, submission_id="e9" if key.endswith("-9.png") else "f0")
    row = _row(status="completed", fence="0002", fences=frozenset({"0001", "0002"}), images=[], output=None)

    OrphanCleaner(aws.client("s3"), bucket).delete_orphans(row)

    assert _keys(aws, bucket) == kept_keys | unrelated


def test_the_output_document_of_a_failed_task_is_kept(aws: Emulator, bucket: str) -> None:
    _put(aws, bucket, KEYS.image("0001", 1, "png"))
    _put(aws, bucket, KEYS.output_document("0001"))
    output = s3_uri(bucket, KEYS.output_document("0001"))

    OrphanCleaner(aws.client("s3"), bucket).delete_orphans(
        _row(status="failed", fence="0001", fences=frozenset({"0001"}), images=[], output=output)
    )

    assert _keys(aws, bucket) == {KEYS.output_document("0001")}


@pytest.mark.parametrize("completed", [True, False])
def test_a_worker_that_lost_its_lease_never_deletes_objects_that_the_row_names(
    aws: Emulator, bucket: str, *, completed: bool
) -> None:
    key = KEYS.image("0001", 1, "png")
    _put(aws, bucket, key)
    job = Job(Delivery("1", "handle", ""), MESSAGE, _row(fence="0001"))
    row = _row(status="completed", images=[s3_uri(bucket, key)]) if completed else _row(status="cancelled")

    Store(aws.client("s3"), bucket, table=None, converter=None).discard(job, Stored(keys=[key]), row)  # type: ignore[arg-type]

    assert _keys(aws, bucket) == ({key} if completed else set())
