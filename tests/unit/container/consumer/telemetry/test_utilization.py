"""When a GPU idles although a task waits."""

import pytest

from container.consumer.telemetry.utilization import IMMEDIATE_SECONDS, GpuUtilization, Spent
from tests.support.clock import FakeMonotonic


@pytest.fixture
def time() -> FakeMonotonic:
    """Return a clock."""
    return FakeMonotonic()


@pytest.fixture
def gpu(time: FakeMonotonic) -> GpuUtilization:
    """Return a GPU's clock whose Web UI is ready."""
    clock = GpuUtilization(time)
    clock.switch(on=True)
    return clock


def test_a_job_is_busy_time(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    """Its time is taken once."""
    with gpu.job("a"):
        time.seconds += 5
    assert gpu.take() == Spent(busy=5, idle=0)
    assert gpu.take() == Spent(busy=0, idle=0)


def test_waiting_on_an_empty_queue_is_nobodys_loss(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    """Whether a message comes in the end, or none does."""
    for found in (False, True):
        gpu.poll_begun()
        time.seconds += 4
        gpu.poll_ended(found=found)
    assert gpu.take() == Spent(busy=0, idle=0)


def test_a_message_that_was_there_when_asked_for_has_waited(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    """A receive that comes back at once found it: the GPU idled for the round trip."""
    gpu.poll_begun()
    time.seconds += IMMEDIATE_SECONDS / 2
    gpu.poll_ended(found=True)
    assert gpu.take().idle == pytest.approx(IMMEDIATE_SECONDS / 2)


def test_a_task_that_is_prepared_waits(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    """Also while another receive waits beside it; not once it is settled."""
    gpu.poll_begun()
    gpu.claimed("a")
    time.seconds += 2
    gpu.done("a")
    time.seconds += 3
    gpu.poll_ended(found=False)
    assert gpu.take() == Spent(busy=0, idle=2)


def test_idle_without_asking_counts(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    """Nobody looked whether a task waits: the loss is ours until it is known to be none."""
    time.seconds += 1
    assert gpu.take() == Spent(busy=0, idle=1)


def test_time_without_a_web_ui_is_neither(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    """Nobody knows whether tasks wait then."""
    gpu.switch(on=False)
    time.seconds += 60
    gpu.switch(on=True)
    assert gpu.take() == Spent(busy=0, idle=0)


def test_a_job_that_fails_ends(time: FakeMonotonic, gpu: GpuUtilization) -> None:
    """The time after it is idle again."""

    def fail() -> None:
        with gpu.job("a"):
            time.seconds += 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    gpu.poll_begun()
    time.seconds += 1
    assert gpu.take() == Spent(busy=1, idle=0)
