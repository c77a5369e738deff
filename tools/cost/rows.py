"""The write units of a task, counted by following the protocol through the table and its indexes."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final

from domain.clock import iso
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
    """Return the units that a task writes, from its submit to its callback; it takes seconds on the GPU.

    `indexes` are the GlobalSecondaryIndexes of the table in the template.
    """
    return sum(
        _units(before, after) + sum(_index_units(index, before, after) for index in indexes)
        for before, after in _lifecycle(content_bytes)
    )


def _lifecycle(content_bytes: int) -> Iterator[tuple[Item, Item]]:
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
    following: list[Callable[[Row], Transition]] = [
        lambda _: submit(new_row(message, digest="0" * 64, now=_NOW)),
        lambda row: mark_published(row, _NOW),
        lambda row: claim(row, worker="ip-10-0-0-1-1-abcdef", fence="0123", seconds=120, now=_NOW),
        lambda row: start(row, seconds=120, now=_NOW),
        lambda row: finish(row, Status.COMPLETED, now=_NOW, images=[_LINK], output=_LINK),
        lambda row: notify(row, _NOW),
    ]
    before: Item = {}
    for transition_of in following:
        after = transition_of(Row(dict(before))).apply_to(before)
        yield before, after
        before = after


def _units(before: Item, after: Item) -> int:
    """Return the units of a write to the table: those of the larger of the two items."""
    return ceil(max(_size(before), _size(after)) / UNIT_BYTES)


def _index_units(index: dict[str, Any], before: Item, after: Item) -> int:
    """Return the units of a write to an index: none if its entry stays, two entries if its key changes."""
    keys = [each["AttributeName"] for each in index["KeySchema"]]
    named = {"id", *keys, *index["Projection"].get("NonKeyAttributes", [])}
    old, new = (
        {name: value for name, value in item.items() if name in named}
        if all(item.get(key) is not None for key in keys)
        else None
        for item in (before, after)
    )
    if old == new:
        return 0
    if old and new and all(old[key] == new[key] for key in keys):
        return _units(old, new)
    return sum(_units(entry, entry) for entry in (old, new) if entry)


def _size(item: Item) -> int:
    """Return the bytes of an item: its names and values as UTF-8, and numbers as DynamoDB stores them."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Any) -> int:
    match value:
        case None | bool():
            return 1
        case int() | float():
            return ceil(len(str(value)) / 2) + 1
        case str():
            return len(value.encode())
        case Mapping():
            return 3 + sum(1 + len(name) + _value_size(each) for name, each in value.items())
        case _:
            return 3 + sum(1 + _value_size(each) for each in value)
