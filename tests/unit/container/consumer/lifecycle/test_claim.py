"""What a worker does with a received message."""

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
COMPLETED = {"status": "completed", "images": [], "finished_at": "2026-11-22T17:00:00.000Z"}


class Setup:
    """A received message, the row of its task, and a claimer with its collaborators."""

    def __init__(
        self, row: dict[str, Any] | None, *, body: Message | None = MESSAGE, may_claim: bool = True
    ) -> None:
        self.table = FakeTable(row)
        self.queue = FakeQueue()
        self.deleted = self.queue.deleted
        self.dead_lettered = self.queue.dead_lettered
        self.notified: list[Row] = []
        self.cancelled: list[Job] = []
        self.ended_codes: list[str] = []
        self.delivery = delivery("")
        finisher = SimpleNamespace(
            cancel=self.cancelled.append,
            metrics=SimpleNamespace(
                record_unclaimed_failure=lambda _row, code: self.ended_codes.append(code.value)
            ),
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
            protect_from_scale_in=lambda: may_claim,
        )


def test_a_queued_task_is_claimed_under_a_new_fence() -> None:
    setup = Setup(ROW)
    job = setup.claimer.claim_next()
    assert job is not None
    assert (job.row.attempts, job.row.text("worker"), bool(job.row.fence)) == (1, "w", True)
    assert (setup.deleted, setup.queue.released) == ([], [])


def test_a_task_without_a_row_gets_one() -> None:
    job = Setup(None).claimer.claim_next()
    assert job is not None
    assert (job.row.attempts, job.row.status) == (1, Status.QUEUED)


def test_a_message_whose_task_another_worker_has_is_released_until_the_lease_ends() -> None:
    setup = Setup(ROW | {"lease_until": "9999-01-01T00:00:00.000Z", "worker": "other"})
    assert setup.claimer.claim_next() is None
    ((released, seconds),) = setup.queue.released
    assert released is setup.delivery
    assert seconds > 0


def test_a_message_of_another_submission_is_deleted() -> None:
    setup = Setup(ROW | {"submission_id": "a later one"})
    assert setup.claimer.claim_next() is None
    assert (setup.deleted, setup.notified) == ([setup.delivery], [])


@pytest.mark.parametrize("is_sent", [False, True])
def test_the_callback_of_a_finished_task_is_sent_unless_it_was_sent_before(*, is_sent: bool) -> None:
    setup = Setup(ROW | COMPLETED | ({"notified_at": "2026-11-22T17:00:01.000Z"} if is_sent else {}))
    assert setup.claimer.claim_next() is None
    assert len(setup.notified) == (0 if is_sent else 1)
    assert setup.deleted == [setup.delivery]


def test_a_task_without_attempts_left_is_abandoned_and_its_callback_sent() -> None:
    setup = Setup(ROW | {"attempts": 5, "message": "{}"})
    assert setup.claimer.claim_next() is None
    assert setup.ended_codes == ["task_abandoned"]
    assert [row.status for row in setup.notified] == [Status.FAILED]
    assert setup.deleted == [setup.delivery]


def test_a_cancel_that_a_dead_worker_did_not_execute_is_executed() -> None:
    setup = Setup(ROW | {"status": "running", "cancel_requested": "2026-11-22T17:00:00.000Z"})
    assert setup.claimer.claim_next() is None
    assert len(setup.cancelled) + len(setup.notified) == 1


@pytest.mark.parametrize("body", [None, message("t", runtime="another")])
def test_a_message_that_is_no_task_of_the_runtime_is_dead_lettered(body: Message | None) -> None:
    setup = Setup(ROW, body=body)
    assert setup.claimer.claim_next() is None
    assert setup.dead_lettered == [setup.delivery]


def test_no_task_is_claimed_while_a_deployment_waits_for_the_worker() -> None:
    setup = Setup(ROW, may_claim=False)
    assert setup.claimer.claim_next() is None
    assert setup.queue.released == [(setup.delivery, 0)]
    assert "fence" not in json.dumps(setup.table.item)


def test_if_the_table_does_not_respond_the_message_waits_for_its_visibility_timeout() -> None:
    setup = Setup(ROW)
    setup.table.write_error = ClientError({"Error": {"Code": "Throttling"}}, "UpdateItem")
    assert setup.claimer.claim_next() is None
    assert (setup.deleted, setup.queue.released) == ([], [])
