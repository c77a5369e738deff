"""The watch knows whether a job was interrupted when its response arrives, from a poll before its end."""

import threading

import pytest

from container.consumer.engines.base import RunHooks
from container.consumer.engines.sdwebui.interrupt_watch import InterruptWatch, Progress
from domain.errors import ErrorCode, RetryableError

TIMEOUT_SECONDS = 5.0
NEVER_SECONDS = float("inf")


class FakeServer:
    """Responds to polls with a state that the test sets."""

    def __init__(self) -> None:
        self.state: Progress | None = None
        self.polls = 0
        self.polled = threading.Semaphore(0)

    def progress(self) -> Progress:
        self.polls += 1
        state = self.state
        self.polled.release()
        if state is None:
            raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, "gone")
        return state

    def set_running(self, job_started_at: str, *, interrupted: bool = False, fraction: float = 0.5) -> None:
        self.state = Progress(fraction, 1, interrupted, job_started_at)

    def set_ended(self, job_started_at: str, *, interrupted: bool = False) -> None:
        self.state = Progress(0.0, 0, interrupted, job_started_at)


class Setup:
    """An InterruptWatch, and the progress that it reported."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.watch = InterruptWatch(self.server)
        self.progress: list[float] = []

    def send(self, *, expected_seconds: float) -> None:
        self.watch.start(RunHooks(lambda: None, self.progress.append, expected_seconds))

    def first_job(self) -> None:
        """Watch a job of unknown duration."""
        self.server.set_ended("1")
        self.send(expected_seconds=NEVER_SECONDS)
        self.watch.response_began()
        assert not self.watch.was_interrupted()
        assert self.server.polled.acquire(timeout=TIMEOUT_SECONDS)


@pytest.fixture
def setup() -> Setup:
    return Setup()


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_poll_between_the_end_of_a_job_and_its_response_is_the_last(
    setup: Setup, *, interrupted: bool
) -> None:
    setup.first_job()
    setup.server.set_ended("2", interrupted=interrupted)  # the job's images are being encoded
    setup.send(expected_seconds=0.3)
    assert setup.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    polls = setup.server.polls
    setup.server.state = None
    setup.watch.response_began()
    assert setup.watch.was_interrupted() is interrupted
    assert setup.server.polls == polls


def test_without_a_poll_after_the_end_one_is_sent_when_the_response_arrives(setup: Setup) -> None:
    setup.first_job()
    setup.server.set_ended("2", interrupted=True)
    setup.send(expected_seconds=60.0)
    setup.watch.response_began()
    assert setup.watch.was_interrupted()
    assert setup.server.polls == 2


def test_a_job_that_was_seen_running_is_polled_again_after_its_end(setup: Setup) -> None:
    setup.first_job()
    setup.server.set_running("2")
    setup.send(expected_seconds=0.3)
    assert setup.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    setup.server.set_ended("2", interrupted=True)  # another client, just before the end
    setup.watch.response_began()
    assert setup.watch.was_interrupted()
    assert 0.5 in setup.progress


def test_an_interrupt_of_the_previous_job_does_not_count(setup: Setup) -> None:
    setup.first_job()
    setup.server.set_ended("1", interrupted=True)  # this worker has cancelled it
    setup.send(expected_seconds=0.3)
    assert setup.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    setup.server.set_ended("2")
    setup.watch.response_began()
    assert not setup.watch.was_interrupted()


def test_an_interrupt_of_another_clients_job_before_this_one_does_not_count(setup: Setup) -> None:
    setup.first_job()
    setup.server.set_ended("2", interrupted=True)  # interrupted by another client
    setup.send(expected_seconds=0.3)
    assert setup.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    setup.server.set_running("3")
    assert setup.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    setup.server.set_ended("3")
    setup.watch.response_began()
    assert not setup.watch.was_interrupted()


def test_the_progress_of_a_job_of_unknown_duration_is_reported(setup: Setup) -> None:
    setup.server.set_running("1", fraction=0.25)
    setup.send(expected_seconds=NEVER_SECONDS)
    assert setup.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    setup.server.set_ended("1")
    setup.watch.response_began()
    assert not setup.watch.was_interrupted()
    assert setup.progress[0] == 0.25


def test_a_server_that_ends_after_its_response_did_not_interrupt_the_job(setup: Setup) -> None:
    setup.send(expected_seconds=NEVER_SECONDS)
    setup.watch.response_began()
    assert not setup.watch.was_interrupted()


def test_the_time_of_the_poll_follows_the_measured_encoding(setup: Setup) -> None:
    setup.first_job()
    before = setup.watch._encoding_fraction
    setup.server.set_running("2")
    setup.send(expected_seconds=0.3)
    assert setup.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    setup.watch.response_began()  # soon after a poll of the running job: encoding is short
    setup.watch.was_interrupted()
    assert setup.watch._encoding_fraction < before
