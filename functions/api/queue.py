"""Where a queued task stands: its position, and when it will presumably start and finish."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.listing import Listing
from adapters.workers import WorkerRows
from domain.clock import iso_after, now, parse
from domain.estimate import Estimate, RunningWork, Work, estimate
from domain.row import Row


@dataclass(frozen=True, slots=True)
class Standing:
    """A task's place in its queue; `capped` is True if there are more tasks before it than `position`."""

    position: int | None = None
    capped: bool = False
    estimated_start: str | None = None
    estimated_finish: str | None = None

    def as_response(self) -> dict[str, Any]:
        """Return the fields of a task that describe its place."""
        return {
            "position": self.position,
            "estimated_start": self.estimated_start,
            "estimated_finish": self.estimated_finish,
            **({"position_capped": True} if self.capped else {}),
        }


NOT_QUEUED = Standing()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReader:
    """Reads where queued tasks stand."""

    listing: Listing
    workers: WorkerRows
    clock: Callable[[], datetime] = now

    def __call__(self, row: Row) -> Standing:
        """Return the standing of a queued task; beyond the largest position, there is no estimate."""
        ahead, capped = self.listing.ahead(row)
        if capped:
            return Standing(len(ahead), capped=True)
        moment = self.clock()
        found = self._estimate(row, [Work.of(each.item) for each in ahead], moment)
        return Standing(
            len(ahead),
            estimated_start=_time(moment, found.start_seconds),
            estimated_finish=_time(moment, found.finish_seconds),
        )

    def _estimate(self, row: Row, ahead: list[Work], moment: datetime) -> Estimate:
        running = []
        for each in self.listing.running(row.runtime):
            started_at = each.text("started_at")
            seconds = (moment - parse(started_at)).total_seconds() if started_at else 0.0
            running.append(RunningWork(Work.of(each.item), max(0.0, seconds)))
        workers = self.workers.read(row.runtime)
        return estimate(Work.of(row.item), ahead=ahead, running=running, workers=workers)


def _time(moment: datetime, seconds: float | None) -> str | None:
    return None if seconds is None else iso_after(moment, seconds)
