"""DynamoDB, through the table's adapter, decides and writes as the transitions do in Python."""

import secrets
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.table import Table
from domain import protocol
from domain.clock import iso
from domain.errors import ErrorCode
from domain.limits import MAX_ATTEMPTS
from domain.row import Row, Status
from domain.transition import Transition
from local.emulator import Emulator
from tests.model.world import Rows
from tests.support.clock import NOW

ITEM = Rows(attempts=0, digests="a", mutate=lambda transition: transition).new(0)
TIMES = st.sampled_from([iso(NOW + timedelta(seconds=seconds)) for seconds in (-60, 0, 60)])
FENCES = st.sampled_from(["0001", "0002", "0003"])
SUBMISSION_IDS = st.sampled_from(["a", "b"])
OPTIONAL_ATTRIBUTES: dict[str, st.SearchStrategy[Any]] = {
    "lease_until": TIMES,
    "fence": FENCES,
    "fences": st.frozensets(FENCES, min_size=1),
    "worker": st.sampled_from(["w0", "w1"]),
    "started_at": TIMES,
    "published_at": TIMES,
    "notified_at": TIMES,
    "finished_at": TIMES,
    "cancel_requested": TIMES,
    "last_error": st.just({"code": "engine_unavailable", "message": "…"}),
    "error": st.just({"code": "cancelled", "message": "…"}),
    "images": st.lists(st.just("s3://b/k"), max_size=2),
}
ROWS = st.builds(
    lambda required, optional: {**ITEM, **required, **optional},
    st.fixed_dictionaries(
        {
            "submission_id": SUBMISSION_IDS,
            "status": st.sampled_from([status.value for status in Status]),
            "attempts": st.integers(0, MAX_ATTEMPTS + 1),
            "progress": st.sampled_from([0, 0.25, 1]),
            "context": st.sampled_from([None, "", {"a": [1, None, 2.5, "ü"]}]),
        }
    ),
    st.fixed_dictionaries({}, optional=OPTIONAL_ATTRIBUTES),
)


@st.composite
def transitions(draw: st.DrawFn) -> Transition:
    """Draw a transition that an actor may write after it read any earlier or later version of the row."""
    row = Row(draw(ROWS))
    now, seconds, fence = NOW, draw(st.sampled_from([6, 120.5])), draw(FENCES)
    error = {"code": "no_images", "message": "…"}
    item = {**ITEM, "submission_id": draw(SUBMISSION_IDS)}
    return draw(
        st.sampled_from(
            [
                protocol.submit(item),
                protocol.resubmit(item, Row({**row.item, "notified_at": iso(NOW)})),
                protocol.mark_published(row, now),
                protocol.claim(row, worker="w1", fence=fence, seconds=seconds, now=now),
                protocol.replace_fence(Row({"worker": "w1", **row.item}), fence=fence),
                protocol.renew(row, seconds=seconds, now=now, progress=0.125),
                protocol.renew(row, seconds=seconds, now=now),
                protocol.start(row, seconds=seconds, now=now),
                protocol.release(row, count_attempt=True, last_error=error),
                protocol.release(row, count_attempt=False),
                protocol.finish(row, Status.COMPLETED, now=now, images=["s3://b/k"], output="s3://b/o"),
                protocol.finish(row, Status.FAILED, now=now, error=error),
                protocol.notify(row, now),
                protocol.record_output_deletion(Row({**row.item, "notified_at": iso(NOW)}), now),
                protocol.cancel_queued(row, now),
                protocol.request_cancel(row, now),
                protocol.end_unclaimed(row, now=now, code=ErrorCode.TASK_ABANDONED, message="…"),
            ]
        )
    )


@pytest.fixture(scope="module")
def table(aws: Emulator) -> Iterator[Table]:
    """Create a table, and delete it after the tests."""
    client = aws.client("dynamodb")
    name = f"conformance-{secrets.token_hex(4)}"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield Table(client, name)
    client.delete_table(TableName=name)


def _has_item(row: Row | None, item: dict[str, Any]) -> bool:
    # The adapter does not store attributes that are None, so a row is read without them.
    return _without_nulls(row.item if row else {}) == _without_nulls(item)


def _without_nulls(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if value is not None}


@settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=st.none() | ROWS, transition=transitions())
def test_python_and_dynamodb_write_and_refuse_the_same(
    table: Table, before: dict[str, Any] | None, transition: Transition
) -> None:
    # A random id would make the run differ each time; the table is empty for each example.
    table._client.delete_item(TableName=table.name, Key={"id": {"S": "t"}})
    if before is not None:
        assert table.write(
            "t", Transition("put", protocol.submit({}).conditions, set=before, replace=True)
        ).done
    item = before or {}

    write = table.write("t", transition)

    is_allowed = transition.is_allowed(item)
    after = transition.apply_to(item) if is_allowed else item
    assert write.done == (is_allowed or (before is not None and transition.is_already_applied(item)))
    assert _has_item(write.row, after)
    assert _has_item(table.get("t"), after)


def test_a_repeated_final_write_is_done_but_another_outcome_is_refused(table: Table) -> None:
    table._client.delete_item(TableName=table.name, Key={"id": {"S": "t"}})
    queued = table.write("t", protocol.submit(ITEM)).row
    assert queued is not None
    claimed = table.write("t", protocol.claim(queued, worker="w", fence="0001", seconds=60, now=NOW)).row
    assert claimed is not None
    own_finish = protocol.finish(claimed, Status.COMPLETED, now=NOW, images=["s3://b/k"], output="s3://b/o")
    later = NOW + timedelta(seconds=1)
    other_finish = protocol.finish(
        claimed, Status.FAILED, now=later, error={"code": "no_images", "message": "…"}
    )

    assert [table.write("t", transition).done for transition in (own_finish, own_finish, other_finish)] == [
        True,
        True,
        False,
    ]
