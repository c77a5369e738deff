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
    clock.switch(on=True)
    return clock


def test_the_time_of_a_job_is_busy_and_is_returned_once(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    with gpu.job("a"):
        time.seconds += 5
    assert gpu.take() == Spent(busy=5, idle=0)
    assert gpu.take() == Spent(busy=0, idle=0)


def test_waiting_on_an_empty_queue_is_not_idle_time(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    for found in (False, True):
        gpu.poll_begun()
        time.seconds += 4
        gpu.poll_ended(found=found)
    assert gpu.take() == Spent(busy=0, idle=0)


def test_a_receive_that_returns_at_once_counts_as_idle_time(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    """A message was waiting already, so the GPU was idle during the round trip."""
    gpu.poll_begun()
    time.seconds += IMMEDIATE_SECONDS / 2
    gpu.poll_ended(found=True)
    assert gpu.take().idle == pytest.approx(IMMEDIATE_SECONDS / 2)


def test_time_is_idle_while_a_claimed_task_is_prepared(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    gpu.poll_begun()
    gpu.claimed("a")
    time.seconds += 2
    gpu.done("a")
    time.seconds += 3
    gpu.poll_ended(found=False)
    assert gpu.take() == Spent(busy=0, idle=2)


def test_time_without_a_receive_is_idle_time(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    time.seconds += 1
    assert gpu.take() == Spent(busy=0, idle=1)


def test_time_without_a_ready_engine_is_neither_busy_nor_idle(
    time: FakeMonotonic, gpu: GpuUtilization
) -> None:
    gpu.switch(on=False)
    time.seconds += 60
    gpu.switch(on=True)
    assert gpu.take() == Spent(busy=0, idle=0)


def test_time_after_a_failed_job_is_idle_again(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    def fail() -> None:
        with gpu.job("a"):
            time.seconds += 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    gpu.poll_begun()
    time.seconds += 1
    assert gpu.take() == Spent(busy=1, idle=0)
