"""Estimate when a queued task will start and finish, from what the workers measure."""

import hashlib
import heapq
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

START_SECONDS: Final = 120.0
"""How long a worker takes until its engine is ready, until one of its runtime has measured it: for images of
this repository 60 to 130 s (docs/cost.md)."""

_KEY_DIGITS: Final = 8

Speeds = Mapping[str, float]
"""Seconds a unit of cost, by the key of the kind of a job."""


@dataclass(frozen=True, slots=True)
class Work:
    """The cost of a task; the time of tasks of one kind is proportional to it."""

    kind: str
    """A key of `kind_key`, or "" if the kind is not known."""
    cost: float

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "Work":
        """Return the work of a row, of an unknown kind if the row does not tell it."""
        kind, cost = item.get("cost_kind"), item.get("cost")
        known = isinstance(kind, str) and isinstance(cost, int | float) and cost > 0
        return cls(str(kind), float(cost or 0)) if known else cls("", 1.0)


@dataclass(frozen=True, slots=True)
class RunningWork:
    """A task on a GPU, and for how long it has been there."""

    work: Work
    seconds: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """In how many seconds a task starts and finishes; None if that cannot be estimated."""

    start_seconds: float | None = None
    finish_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """The workers of a runtime, as they describe themselves."""

    running: int = 0
    """How many can run tasks."""
    starting_seconds: Sequence[float] = ()
    """For how long each of the others has been starting."""
    speeds: Sequence[Speeds] = ()
    """What each running worker has measured."""
    former_speeds: Sequence[Speeds] = ()
    """What earlier workers had measured, the latest first."""
    start_seconds: Sequence[float] = ()
    """How long earlier workers took to start."""


def kind_key(kind: str) -> str:
    """Return a short key for a kind of jobs, which may be as long as a workflow."""
    return hashlib.sha256(kind.encode()).hexdigest()[:_KEY_DIGITS]


def work_attributes(kind: str, cost: float) -> dict[str, Any]:
    """Return the attributes that `Work.of` reads; a task without sampling steps counts as one unit."""
    return {"cost_kind": kind_key(kind), "cost": cost or 1.0}


def estimate(
    own: Work, *, ahead: Sequence[Work], running: Iterable[RunningWork], workers: Workers
) -> Estimate:
    """Return when a task starts and finishes that waits behind `ahead`, if no task overtakes another one.

    Each worker takes the next waiting task as soon as it is free. What is not known of single tasks before
    this one is taken from the others; there is no estimate without workers, or if nothing was measured.
    """
    speeds = _combined(workers)
    seconds_ahead = _filled([_seconds(work, speeds) for work in ahead])
    free = _free_seconds(running, workers, speeds)
    if seconds_ahead is None or not free:
        return Estimate()
    heapq.heapify(free)
    for seconds in seconds_ahead:
        heapq.heapreplace(free, free[0] + seconds)
    own_seconds = _seconds(own, speeds)
    return Estimate(free[0], None if own_seconds is None else free[0] + own_seconds)


def _combined(workers: Workers) -> Speeds:
    """Return the median of the running workers' measurements, else the latest of earlier workers."""
    found: dict[str, float] = {}
    for speeds in reversed(workers.former_speeds):
        found |= speeds
    for kind in {kind for speeds in workers.speeds for kind in speeds}:
        found[kind] = statistics.median(speeds[kind] for speeds in workers.speeds if kind in speeds)
    return found


def _seconds(work: Work, speeds: Speeds) -> float | None:
    return work.cost * speeds[work.kind] if work.kind in speeds else None


def _filled(seconds: Sequence[float | None]) -> list[float] | None:
    """Return times in which the mean of the known ones replaces the unknown ones; None if none is known."""
    known = [each for each in seconds if each is not None]
    if seconds and not known:
        return None
    mean = statistics.fmean(known) if known else 0.0
    return [mean if each is None else each for each in seconds]


def _free_seconds(running: Iterable[RunningWork], workers: Workers, speeds: Speeds) -> list[float]:
    """Return in how many seconds each worker is free for the first waiting task."""
    remaining = [max(0.0, (_seconds(each.work, speeds) or each.seconds) - each.seconds) for each in running]
    # A task of a worker that has died is overdue, and the last to be considered.
    busy = sorted(remaining, reverse=True)[: workers.running]
    idle = [0.0] * (workers.running - len(busy))
    start = statistics.median(workers.start_seconds) if workers.start_seconds else START_SECONDS
    return [*busy, *idle, *(max(0.0, start - seconds) for seconds in workers.starting_seconds)]
