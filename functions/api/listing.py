"""List tasks, newest first, in pages that stay consistent while tasks are added and change."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.listing import Listing
from domain.errors import ErrorCode, Fault
from domain.limits import MAX_ID_LENGTH
from domain.routing import Runtimes
from domain.row import Row, Status
from functions.api.request_errors import invalid_parameters
from functions.api.requests import parse_limit, single_values

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100
_SORT_KEY: Final = re.compile(
    rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z#[A-Za-z0-9][A-Za-z0-9_.-]{{0,{MAX_ID_LENGTH - 1}}}"
)


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a list; `below` is the sort key at which the previous page ended."""

    statuses: Sequence[Status]
    runtimes: Sequence[str]
    limit: int
    below: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; the last one has no cursor."""

    rows: Sequence[Row]
    cursor: str | None


def read_query(parameters: Mapping[str, Sequence[str]], runtimes: Runtimes) -> Query:
    """Parse the query string of a list; raise InvalidTask naming every fault."""
    allowed = ("status", "runtime", "limit", "cursor")
    (status, runtime, limit, cursor), faults = single_values(parameters, allowed)
    if status is not None and status not in list(Status):
        faults.append(Fault("status", f"one of {', '.join(Status)} is expected"))
    if runtime is not None and runtimes.named(runtime) is None:
        message = f"unknown runtime; the runtimes are {', '.join(runtimes.names)}"
        faults.append(Fault("runtime", message, ErrorCode.UNKNOWN_RUNTIME))
    size = parse_limit(limit, faults, default=DEFAULT_LIMIT, maximum=MAX_LIMIT)
    below = _read_cursor(cursor) if cursor is not None else None
    if cursor is not None and below is None:
        faults.append(Fault("cursor", "the cursor of a previous page is expected, unchanged"))
    if faults:
        raise invalid_parameters(faults)
    return Query(
        statuses=[Status(status)] if status else list(Status),
        runtimes=[runtime] if runtime else runtimes.names,
        limit=size,
        below=below,
    )


def list_tasks(listing: Listing, query: Query) -> Page:
    """Return a page, merged from one index partition for each runtime and status.

    A task keeps its sort key for life, so pages neither repeat nor skip tasks that existed when the first
    page was read, however their status changes. The statuses are queried in the order in which tasks pass
    through them, so that a task that changes meanwhile is found twice, and shown in its later status, rather
    than missed.
    """
    rows_by_id: dict[str, Row] = {}
    for runtime in query.runtimes:
        for status in query.statuses:
            # One row more than requested shows whether there is another page.
            for row in listing.newest(runtime, status, below=query.below, limit=query.limit + 1):
                rows_by_id[row.id] = row
    rows = sorted(rows_by_id.values(), key=_sort_key, reverse=True)
    page = rows[: query.limit]
    return Page(page, _cursor_after(page[-1]) if len(rows) > query.limit else None)


def _sort_key(row: Row) -> str:
    return str(row.item["submitted_at_id"])


def _cursor_after(row: Row) -> str:
    return base64.urlsafe_b64encode(_sort_key(row).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str | None:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return text if _SORT_KEY.fullmatch(text) else None
