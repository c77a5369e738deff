"""Busy time of the GPU, and idle time although tasks wait."""

import pytest

from container.consumer.telemetry.utilization import IMMEDIATE_SECONDS, GpuUtilization, Spent
from tests.support.clock import FakeMonotonic


@pytest.fixture
def time() -> FakeMonotonic:
    """Return a clock."""
    return FakeMonotonic()


@pytest.fixture
def gpu(time: FakeMonotonic) -> GpuUtilization:
    """Return the utilization of a GPU whose engine is ready."""
    clock = GpuUtilization(time)
    clock.engine_ready = True
    return clock


def test_the_time_of_a_job_is_busy_and_is_returned_once(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    with gpu.busy_with("a"):
        time.seconds += 5
    assert gpu.spent_since_last_call() == Spent(busy_seconds=5, idle_seconds=0)
    assert gpu.spent_since_last_call() == Spent(busy_seconds=0, idle_seconds=0)


def test_waiting_on_an_empty_queue_is_not_idle_time(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    for found_a_message in (False, True):
        gpu.poll_begun()
        time.seconds += 4
        gpu.poll_ended(found=found_a_message)
    assert gpu.spent_since_last_call() == Spent(busy_seconds=0, idle_seconds=0)


def test_a_receive_that_returns_at_once_counts_as_idle_time(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    """A message was waiting already, so the GPU was idle during the round trip."""
    gpu.poll_begun()
    time.seconds += IMMEDIATE_SECONDS / 2
    gpu.poll_ended(found=True)
    assert gpu.spent_since_last_call().idle_seconds == pytest.approx(IMMEDIATE_SECONDS / 2)


def test_time_is_idle_while_a_claimed_task_is_prepared(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    gpu.poll_begun()
    gpu.add_waiting("a")
    time.seconds += 2
    gpu.remove_waiting("a")
    time.seconds += 3
    gpu.poll_ended(found=False)
    assert gpu.spent_since_last_call() == Spent(busy_seconds=0, idle_seconds=2)


def test_time_without_a_receive_is_idle_time(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    time.seconds += 1
    assert gpu.spent_since_last_call() == Spent(busy_seconds=0, idle_seconds=1)


def test_time_without_a_ready_engine_is_neither_busy_nor_idle(
    time: FakeMonotonic, gpu: GpuUtilization
) -> None:
    gpu.engine_ready = False
    time.seconds += 60
    gpu.engine_ready = True
    assert gpu.spent_since_last_call() == Spent(busy_seconds=0, idle_seconds=0)


def test_time_after_a_failed_job_is_idle_again(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    def fail() -> None:
        with gpu.busy_with("a"):
            time.seconds += 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    gpu.poll_begun()
    time.seconds += 1
    assert gpu.spent_since_last_call() == Spent(busy_seconds=1, idle_seconds=0)
