"""Estimates of the running job's end."""

import threading

from container.consumer.telemetry.duration import DurationEstimator
from runtimes.sdwebui.runtime_type import SdWebUi
from tests.support.clock import FakeMonotonic


def learnt(clock: FakeMonotonic, *, seconds: float, units: float) -> DurationEstimator:
    """Return a pace that has seen one job."""
    pace = DurationEstimator(clock=clock)
    pace.begin("k", units)
    clock.seconds += seconds
    pace.end("k", units, learn=True)
    return pace


def test_an_idle_gpu_is_free_now() -> None:
    """Nothing runs."""
    assert DurationEstimator().remaining() == 0.0


def test_a_first_jobs_end_is_unknown_until_web_ui_says_something() -> None:
    """Progress stays at 0.01 while a checkpoint loads (60-progress-during-job)."""
    clock = FakeMonotonic()
    pace = DurationEstimator(clock=clock)
    pace.begin("k", 10.0)
    clock.seconds += 2.0
    pace.observe(0.01)
    assert pace.remaining() == float("inf")
    pace.observe(0.5)
    assert pace.remaining() == 2.0


def test_a_jobs_end_follows_from_those_before_it() -> None:
    """Twice the steps take twice as long."""
    clock = FakeMonotonic()
    pace = learnt(clock, seconds=4.0, units=10.0)
    pace.begin("k", 20.0)
    clock.seconds += 3.0
    assert pace.remaining() == 5.0
    assert pace.seconds_for("k", 5.0) == 2.0


def test_an_overdue_job_may_end_any_moment() -> None:
    """Never a negative time."""
    clock = FakeMonotonic()
    pace = learnt(clock, seconds=1.0, units=1.0)
    pace.begin("k", 1.0)
    clock.seconds += 9.0
    assert pace.remaining() == 0.0


def test_an_interrupted_job_teaches_nothing() -> None:
    """Its time is not a job's."""
    clock = FakeMonotonic()
    pace = DurationEstimator(clock=clock)
    pace.begin("k", 1.0)
    clock.seconds += 5.0
    pace.end("k", 1.0, learn=False)
    assert pace.seconds_for("k", 1.0) == float("inf")


def test_one_odd_job_changes_nothing() -> None:
    clock = FakeMonotonic()
    pace = DurationEstimator(clock=clock)
    for seconds in (1.0, 1.0, 250.0):
        pace.begin("k", 1.0)
        clock.seconds += seconds
        pace.end("k", 1.0, learn=True)
    assert pace.seconds_for("k", 1.0) == 1.0


def test_jobs_of_another_kind_teach_nothing_about_this_one() -> None:
    pace = learnt(FakeMonotonic(), seconds=250.0, units=1.0)
    assert pace.seconds_for("other", 1.0) == float("inf")
    rules = SdWebUi()
    assert rules.kind("image-to-image", {"script_name": "Loopback"}) != rules.kind("image-to-image", {})


def test_only_its_own_progress_says_that_a_job_cannot_end_in_time() -> None:
    clock = FakeMonotonic()
    pace = learnt(clock, seconds=250.0, units=1.0)
    pace.begin("k", 1.0)
    assert (pace.remaining(), pace.observed_remaining()) == (250.0, float("inf"))
    clock.seconds += 10.0
    pace.observe(0.5)
    assert pace.observed_remaining() == 10.0


def test_those_who_wait_hear_of_every_change() -> None:
    changed = threading.Condition()
    pace = DurationEstimator(changed)
    heard = threading.Event()

    def wait() -> None:
        with changed:
            waiting.set()
            changed.wait(5)
            heard.set()

    waiting = threading.Event()
    threading.Thread(target=wait, daemon=True).start()
    assert waiting.wait(5)
    pace.begin("k", 1.0)
    assert heard.wait(5)
