"""Show when tasks reached each stage, in milliseconds after the request was sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.table import Table

# The stages, and the attributes of the row with their times (UTC, ISO 8601).
STAGES = {
    "accepted": "submitted_at",
    "queued": "published_at",
    "running": "started_at",
    "stored": "finished_at",
    "notified": "notified_at",
}


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """When one task reached each stage; None if the row has no time for it."""

    name: str
    milliseconds: dict[str, int | None]


def timeline(name: str, row: Mapping[str, Any], *, sent_at: datetime, received_at: datetime) -> Timeline:
    """Build a timeline from a finished task's row and from when the callback arrived."""

    def since(moment: datetime) -> int:
        return round((moment - sent_at).total_seconds() * 1000)

    reached: dict[str, int | None] = {
        stage: since(datetime.fromisoformat(row[attribute])) if row.get(attribute) else None
        for stage, attribute in STAGES.items()
    }
    # The time at the subscriber, whose clock is the same here, is more accurate than `notified_at`.
    return Timeline(name=name, milliseconds=reached | {"notified": since(received_at)})


def table(timelines: list[Timeline]) -> Table:
    """Format timelines as a table for the terminal, with one row per task."""
    drawn = Table(title="milliseconds after the request was sent", title_justify="left")
    drawn.add_column("task")
    for stage in STAGES:
        drawn.add_column(stage, justify="right")
    for each in timelines:
        times = (each.milliseconds[stage] for stage in STAGES)
        drawn.add_row(each.name, *("-" if time is None else str(time) for time in times))
    return drawn
