"""What a worker does with a message that it received."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from container.consumer.job import Job
from container.consumer.lifecycle.claim import Claimer
from domain.message import Message
from domain.row import Row, Status
from tests.support.deliveries import FakeQueue, FakeTable, delivery, message

MESSAGE = message("t")
ROW = {"id": "t", "submission_id": MESSAGE.submission_id, "runtime": "r", "status": "queued", "attempts": 0}
ENDED = {"status": "completed", "images": [], "finished_at": "2026-11-22T17:00:00.000Z"}


class World:
    """One message that was received, the row of its task, and what its claimer uses."""

    def __init__(
        self, row: dict[str, Any] | None, *, body: Message | None = MESSAGE, may_claim: bool = True
    ) -> None:
        self.table = FakeTable(row)
        self.queue = FakeQueue()
        self.deleted = self.queue.deleted
        self.dead = self.queue.dead
        self.notified: list[Row] = []
        self.cancelled: list[Job] = []
        self.abandoned: list[str] = []
        self.delivery = delivery("")
        finisher = SimpleNamespace(
            cancelled=self.cancelled.append,
            metrics=SimpleNamespace(abandoned=lambda _row, code: self.abandoned.append(code.value)),
        )
        waiting = SimpleNamespace(delivery=self.delivery, message=body)
        self.claimer = Claimer(
            SimpleNamespace(next=lambda: waiting),  # type: ignore[arg-type]
            self.queue,
            self.table,  # type: ignore[arg-type]
            SimpleNamespace(notify=self.notified.append),  # type: ignore[arg-type]
            finisher,  # type: ignore[arg-type]
            runtime="r",
            worker="w",
            lease_seconds=60,
            protect=lambda: may_claim,
        )


def test_a_queued_task_is_claimed_under_a_new_fence() -> None:
    world = World(ROW)
    job = world.claimer.claim_next()
    assert job is not None
    assert (job.row.attempts, job.row.text("worker"), bool(job.row.fence)) == (1, "w", True)
    assert (world.deleted, world.queue.released) == ([], [])


def test_a_task_without_a_row_gets_one() -> None:
    job = World(None).claimer.claim_next()
    assert job is not None
    assert (job.row.attempts, job.row.status) == (1, Status.QUEUED)


def test_a_task_that_another_worker_has_comes_again_after_its_lease() -> None:
    world = World(ROW | {"lease_until": "9999-01-01T00:00:00.000Z", "worker": "other"})
    assert world.claimer.claim_next() is None
    ((released, seconds),) = world.queue.released
    assert released is world.delivery
    assert seconds > 0


def test_a_message_of_another_submission_is_deleted() -> None:
    world = World(ROW | {"submission_id": "a later one"})
    assert world.claimer.claim_next() is None
    assert (world.deleted, world.notified) == ([world.delivery], [])


@pytest.mark.parametrize("told", [False, True])
def test_a_finished_task_is_told_if_it_was_not(*, told: bool) -> None:
    world = World(ROW | ENDED | ({"notified_at": "2026-11-22T17:00:01.000Z"} if told else {}))
    assert world.claimer.claim_next() is None
    assert len(world.notified) == (0 if told else 1)
    assert world.deleted == [world.delivery]


def test_a_task_without_attempts_left_is_abandoned_and_told() -> None:
    world = World(ROW | {"attempts": 5, "message": "{}"})
    assert world.claimer.claim_next() is None
    assert world.abandoned == ["task_abandoned"]
    assert [row.status for row in world.notified] == [Status.FAILED]
    assert world.deleted == [world.delivery]


def test_a_cancel_that_its_dead_worker_did_not_obey_is_obeyed() -> None:
    world = World(ROW | {"status": "running", "cancel_requested": "2026-11-22T17:00:00.000Z"})
    assert world.claimer.claim_next() is None
    assert len(world.cancelled) + len(world.notified) == 1


@pytest.mark.parametrize("body", [None, message("t", runtime="another")])
def test_what_is_not_ours_is_dead_lettered(body: Message | None) -> None:
    world = World(ROW, body=body)
    assert world.claimer.claim_next() is None
    assert world.dead == [world.delivery]


def test_nothing_is_claimed_while_a_deployment_waits() -> None:
    world = World(ROW, may_claim=False)
    assert world.claimer.claim_next() is None
    assert world.queue.released == [(world.delivery, 0)]
    assert "fence" not in json.dumps(world.table.item)


def test_a_table_that_does_not_answer_leaves_the_message_to_its_timeout() -> None:
    world = World(ROW)
    world.table.broken = ClientError({"Error": {"Code": "Throttling"}}, "UpdateItem")
    assert world.claimer.claim_next() is None
    assert (world.deleted, world.queue.released) == ([], [])
