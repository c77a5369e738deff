"""Count the DynamoDB write units of a task, by applying its writes to a row and to the table's indexes."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final

from domain.clock import iso
from domain.estimate import work_attributes
from domain.keys import s3_uri
from domain.message import Message
from domain.protocol import claim, finish, mark_published, new_row, notify, start, submit
from domain.row import Row, Status
from domain.task import Task
from domain.transition import Transition

Item = Mapping[str, Any]

UNIT_BYTES: Final = 1024
_NOW: Final = datetime(2026, 11, 25, tzinfo=UTC)
_LINK: Final = s3_uri(
    "sdonecs-core-outputbucket-0123456789abcdef", "output/caller/0123456789abcdef/image-1.png"
)


def write_units(indexes: list[dict[str, Any]], *, content_bytes: int) -> int:
    """Return the write units of a short task from its submit to its callback; heartbeats are not counted.

    `indexes` are the GlobalSecondaryIndexes of the table in the template.
    """
    return sum(
        _write_units(before, after) + sum(_index_units(index, before, after) for index in indexes)
        for before, after in _row_changes(content_bytes)
    )


def _row_changes(content_bytes: int) -> Iterator[tuple[Item, Item]]:
    """Yield the row before and after each write of a task that completes at once."""
    task = Task(
        id=str(uuid.UUID(int=0)),
        runtime="sdruntime",
        tasktype="text-to-image",
        prefix="caller",
        context=None,
        content={"prompt": "x" * content_bytes},
        api_version="v1alpha2",
    )
    message = Message(task, submission_id="0123456789abcdef", submitted_at=iso(_NOW))
    transitions: list[Callable[[Row], Transition]] = [
        lambda _: submit(
            new_row(message, digest="0" * 64, now=_NOW) | work_attributes("text-to-image", 5242880.0)
        ),
        lambda row: mark_published(row, _NOW),
        lambda row: claim(row, worker="ip-10-0-0-1-1-abcdef", fence="0123", seconds=120, now=_NOW),
        lambda row: start(row, seconds=120, now=_NOW),
        lambda row: finish(row, Status.COMPLETED, now=_NOW, images=[_LINK], output=_LINK),
        lambda row: notify(row, _NOW),
    ]
    before: Item = {}
    for make_transition in transitions:
        after = make_transition(Row(dict(before))).apply_to(before)
        yield before, after
        before = after


def _write_units(before: Item, after: Item) -> int:
    """Return the units of a write to the table: those of the larger of the two items."""
    return ceil(max(_item_bytes(before), _item_bytes(after)) / UNIT_BYTES)


def _index_units(index: dict[str, Any], before: Item, after: Item) -> int:
    """Return the units of a write to an index: none if its entry stays, two entries if its key changes."""
    keys = [key["AttributeName"] for key in index["KeySchema"]]
    projected = {"id", *keys, *index["Projection"].get("NonKeyAttributes", [])}
    old, new = (
        {name: value for name, value in item.items() if name in projected}
        if all(item.get(key) is not None for key in keys)
        else None
        for item in (before, after)
    )
    if old == new:
        return 0
    if old and new and all(old[key] == new[key] for key in keys):
        return _write_units(old, new)
    return sum(_write_units(entry, entry) for entry in (old, new) if entry)


def _item_bytes(item: Item) -> int:
    """Return the bytes of an item: its names and values as UTF-8, and numbers as DynamoDB stores them."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Any) -> int:
    match value:
        case None | bool():
            return 1
        case int() | float():
            return ceil(len(str(value)) / 2) + 1
        case str():
            return len(value.encode())
        case Mapping():
            return 3 + sum(1 + len(name) + _value_bytes(each) for name, each in value.items())
        case _:
            return 3 + sum(1 + _value_bytes(each) for each in value)
