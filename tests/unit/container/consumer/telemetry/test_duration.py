"""Estimates of when the running job will end."""

import threading

from container.consumer.telemetry.duration import DurationEstimator
from runtimes.sdwebui.runtime_type import SdWebUi
from tests.support.clock import FakeMonotonic


def estimator_after_one_job(clock: FakeMonotonic, *, seconds: float, cost: float) -> DurationEstimator:
    """Return an estimator that has measured one job of the kind `k`."""
    durations = DurationEstimator(clock=clock)
    durations.begin("k", cost)
    clock.seconds += seconds
    durations.end("k", cost, learn=True)
    return durations


def test_an_idle_gpu_is_free_now() -> None:
    assert DurationEstimator().remaining() == 0.0


def test_the_end_of_a_first_job_is_unknown_until_it_reports_progress() -> None:
    """Progress stays at 0.01 while a checkpoint loads (60-progress-during-job)."""
    clock = FakeMonotonic()
    durations = DurationEstimator(clock=clock)
    durations.begin("k", 10.0)
    clock.seconds += 2.0
    durations.observe(0.01)
    assert durations.remaining() == float("inf")
    durations.observe(0.5)
    assert durations.remaining() == 2.0


def test_a_duration_is_proportional_to_the_cost() -> None:
    clock = FakeMonotonic()
    durations = estimator_after_one_job(clock, seconds=4.0, cost=10.0)
    durations.begin("k", 20.0)
    clock.seconds += 3.0
    assert durations.remaining() == 5.0
    assert durations.seconds_for("k", 5.0) == 2.0


def test_an_overdue_job_has_zero_seconds_left() -> None:
    clock = FakeMonotonic()
    durations = estimator_after_one_job(clock, seconds=1.0, cost=1.0)
    durations.begin("k", 1.0)
    clock.seconds += 9.0
    assert durations.remaining() == 0.0


def test_an_interrupted_job_does_not_change_estimates() -> None:
    clock = FakeMonotonic()
    durations = DurationEstimator(clock=clock)
    durations.begin("k", 1.0)
    clock.seconds += 5.0
    durations.end("k", 1.0, learn=False)
    assert durations.seconds_for("k", 1.0) == float("inf")


def test_one_outlier_does_not_change_estimates() -> None:
    clock = FakeMonotonic()
    durations = DurationEstimator(clock=clock)
    for seconds in (1.0, 1.0, 250.0):
        durations.begin("k", 1.0)
        clock.seconds += seconds
        durations.end("k", 1.0, learn=True)
    assert durations.seconds_for("k", 1.0) == 1.0


def test_each_kind_of_job_has_its_own_estimate() -> None:
    durations = estimator_after_one_job(FakeMonotonic(), seconds=250.0, cost=1.0)
    assert durations.seconds_for("other", 1.0) == float("inf")
    rules = SdWebUi()
    assert rules.kind("image-to-image", {"script_name": "Loopback"}) != rules.kind("image-to-image", {})


def test_the_observed_remaining_time_ignores_other_jobs() -> None:
    clock = FakeMonotonic()
    durations = estimator_after_one_job(clock, seconds=250.0, cost=1.0)
    durations.begin("k", 1.0)
    assert (durations.remaining(), durations.observed_remaining()) == (250.0, float("inf"))
    clock.seconds += 10.0
    durations.observe(0.5)
    assert durations.observed_remaining() == 10.0


def test_waiting_threads_are_notified_of_every_change() -> None:
    changes = threading.Condition()
    durations = DurationEstimator(changes)
    heard = threading.Event()

    def wait() -> None:
        with changes:
            waiting.set()
            changes.wait(5)
            heard.set()

    waiting = threading.Event()
    threading.Thread(target=wait, daemon=True).start()
    assert waiting.wait(5)
    durations.begin("k", 1.0)
    assert heard.wait(5)
