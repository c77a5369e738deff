"""Show when tasks reached each stage of the pipeline, in milliseconds after the request was sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.table import Table

# Each stage, and the attribute of the task's table row with the time at which it was reached (UTC, ISO 8601).
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

    task_id: str
    milliseconds_by_stage: dict[str, int | None]


def build_timeline(
    task_id: str, row: Mapping[str, Any], *, sent_at: datetime, received_at: datetime
) -> Timeline:
    """Build the timeline of a finished task; `received_at` is when its final callback arrived."""

    def milliseconds_since_sent(moment: datetime) -> int:
        return round((moment - sent_at).total_seconds() * 1000)

    milliseconds: dict[str, int | None] = {
        stage: milliseconds_since_sent(datetime.fromisoformat(row[attribute])) if row.get(attribute) else None
        for stage, attribute in STAGES.items()
    }
    # `notified_at` is written only after the callback was published. The subscriber runs on the same machine,
    # so that its time can be compared and is closer to the truth.
    milliseconds["notified"] = milliseconds_since_sent(received_at)
    return Timeline(task_id=task_id, milliseconds_by_stage=milliseconds)


def timeline_table(timelines: list[Timeline]) -> Table:
    """Format timelines as a table for the terminal, with one row per task."""
    table = Table(title="milliseconds after the request was sent", title_justify="left")
    table.add_column("task")
    for stage in STAGES:
        table.add_column(stage, justify="right")
    for timeline in timelines:
        times = (timeline.milliseconds_by_stage[stage] for stage in STAGES)
        table.add_row(timeline.task_id, *("-" if time is None else str(time) for time in times))
    return table
