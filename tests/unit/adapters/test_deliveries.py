"""What the worker and the dead-letter function do with a delivered message, decided by the task's row."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.deliveries import MAX_ROUNDS, Deliveries, NextStep
from adapters.table import Written
from domain.delivery import Action
from domain.errors import ErrorCode
from domain.protocol import claim
from domain.row import Row, Status
from domain.transition import Transition
from tests.support.clock import NOW
from tests.support.deliveries import FakeTable, message

MESSAGE = message("t")
ROW = {"id": "t", "submission_id": MESSAGE.submission_id, "runtime": "r", "status": "queued", "attempts": 0}


class ChangingTable(FakeTable):
    """A table whose row another process changes before each write, so that no write is done."""

    def __init__(self) -> None:
        super().__init__(dict(ROW))
        self.writes = 0

    def write(self, _task_id: str, _transition: Transition) -> Written:
        self.writes += 1
        return Written(done=False, row=Row(dict(ROW)))


class Setup:
    """The processing of a message, by a worker or by the dead-letter function, on a table with one row."""

    def __init__(self, table: FakeTable, *, is_worker: bool) -> None:
        self.ended: list[tuple[Status, ErrorCode]] = []
        self._deliveries = Deliveries(
            table=table,  # type: ignore[arg-type]
            claim=_claim if is_worker else None,
            on_ended=lambda row, code: self.ended.append((row.status, code)),
            unclaimed_message="No worker finished it.",
            clock=lambda: NOW,
        )

    def process(self, **changes: Any) -> NextStep | None:
        return self._deliveries.process(replace(MESSAGE, **changes))


def _claim(row: Row) -> Transition:
    return claim(row, worker="w", fence="aaaa", seconds=60, now=NOW)


@pytest.mark.parametrize("is_worker", [True, False])
def test_decisions_on_a_row_that_keeps_changing_end_after_some_rounds(*, is_worker: bool) -> None:
    table = ChangingTable()
    assert Setup(table, is_worker=is_worker).process() is None
    assert table.writes == MAX_ROUNDS


def test_a_worker_claims_what_the_dead_letter_function_ends() -> None:
    next_step = Setup(FakeTable(dict(ROW)), is_worker=True).process()
    assert next_step is not None
    assert next_step.action is Action.CLAIM
    dead_lettering = Setup(FakeTable(dict(ROW) | {"message": "{}"}), is_worker=False)
    next_step = dead_lettering.process()
    assert next_step is not None
    assert next_step.row is not None
    assert (next_step.action, next_step.row.item["error"]["message"]) == (
        Action.NOTIFY,
        "No worker finished it.",
    )
    assert dead_lettering.ended == [(Status.FAILED, ErrorCode.TASK_ABANDONED)]


@pytest.mark.parametrize("is_worker", [True, False])
def test_a_task_without_a_row_gets_one_that_no_sweep_publishes_again(*, is_worker: bool) -> None:
    table = FakeTable(None)
    Setup(table, is_worker=is_worker).process(content_ref="s3://b/content/x")
    assert table.item is not None
    assert table.item["published_at"] == MESSAGE.submitted_at
    assert table.item["digest"] == "", "the message does not have the content"
