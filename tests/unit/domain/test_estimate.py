"""Estimates of when a queued task starts and finishes."""

import pytest

from domain.estimate import (
    START_SECONDS,
    Estimate,
    RunningWork,
    Work,
    Workers,
    estimate,
    kind_key,
    work_attributes,
)

A = kind_key("text-to-image")
B = kind_key("image-to-image")


def work(cost: float, kind: str = A) -> Work:
    return Work(kind, cost)


def one_worker(**changes: object) -> Workers:
    values: dict[str, object] = {"running": 1, "speeds": [{A: 2.0}]}
    return Workers(**values | changes)  # type: ignore[arg-type]


def test_a_task_before_which_nothing_waits_starts_at_once() -> None:
    assert estimate(work(3), ahead=[], running=[], workers=one_worker()) == Estimate(0.0, 6.0)


def test_a_task_waits_for_the_running_one_and_for_those_before_it() -> None:
    running = [RunningWork(work(5), seconds=4.0)]
    found = estimate(work(1), ahead=[work(2), work(3)], running=running, workers=one_worker())

    assert found == Estimate(6.0 + 4.0 + 6.0, 18.0)


def test_workers_take_the_waiting_tasks_as_they_become_free() -> None:
    running = [RunningWork(work(5), 0.0), RunningWork(work(1), 0.0)]
    found = estimate(work(1), ahead=[work(1), work(10)], running=running, workers=one_worker(running=2))

    assert found.start_seconds == 10.0, "the short ones pass on the second worker, the long one is there then"


def test_a_worker_that_starts_takes_tasks_as_soon_as_it_is_ready() -> None:
    workers = one_worker(running=0, starting_seconds=[10.0], start_seconds=[60.0, 70.0, 500.0])
    assert estimate(work(1), ahead=[], running=[], workers=workers) == Estimate(60.0, 62.0)
    late = one_worker(running=0, starting_seconds=[100.0], start_seconds=[60.0])
    assert estimate(work(1), ahead=[], running=[], workers=late).start_seconds == 0.0


def test_until_a_start_was_measured_a_usual_one_is_assumed() -> None:
    workers = one_worker(running=0, starting_seconds=[0.0])
    assert estimate(work(1), ahead=[], running=[], workers=workers).start_seconds == START_SECONDS


def test_the_median_of_the_workers_counts_and_only_without_one_what_earlier_ones_measured() -> None:
    workers = Workers(
        running=3,
        speeds=[{A: 1.0}, {A: 9.0}, {A: 2.0}],
        former_speeds=[{A: 50.0, B: 3.0}, {B: 70.0}],
    )
    assert estimate(work(1), ahead=[], running=[], workers=workers).finish_seconds == 2.0
    assert estimate(work(1, B), ahead=[], running=[], workers=workers).finish_seconds == 3.0


def test_without_workers_or_measurements_there_is_no_estimate() -> None:
    assert estimate(work(1), ahead=[], running=[], workers=Workers(speeds=[{A: 1.0}])) == Estimate()
    nothing = Workers(running=1)
    assert estimate(work(1), ahead=[work(1)], running=[], workers=nothing) == Estimate()
    assert estimate(work(1), ahead=[], running=[], workers=nothing) == Estimate(0.0, None)


def test_a_task_of_an_unknown_kind_is_assumed_to_take_as_long_as_the_others() -> None:
    ahead = [work(1), work(1000, B), work(3)]
    found = estimate(work(1), ahead=ahead, running=[], workers=one_worker())

    assert found.start_seconds == 2.0 + 4.0 + 6.0


def test_a_task_of_a_worker_that_has_died_delays_nothing() -> None:
    running = [RunningWork(work(5), seconds=5000.0), RunningWork(work(5), seconds=4.0)]
    found = estimate(work(1), ahead=[], running=running, workers=one_worker())

    assert found.start_seconds == 6.0


@pytest.mark.parametrize(
    "item", [{}, {"cost": 3}, {"cost_kind": A}, {"cost": "3", "cost_kind": A}, {"cost": 0, "cost_kind": A}]
)
def test_a_row_without_a_cost_is_of_an_unknown_kind(item: dict[str, object]) -> None:
    assert Work.of(item).kind == ""


def test_a_task_without_steps_counts_as_one_unit() -> None:
    assert Work.of(work_attributes("extra-single-image", 0)) == Work(kind_key("extra-single-image"), 1.0)
