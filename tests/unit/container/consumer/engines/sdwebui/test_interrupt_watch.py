"""The watch knows whether a job was interrupted when its response arrives, from a poll before its end."""

import threading

import pytest

from container.consumer.engines.base import RunHooks
from container.consumer.engines.sdwebui.interrupt_watch import InterruptWatch, Progress
from domain.errors import ErrorCode, RetryableError

TIMEOUT_SECONDS = 5.0
NEVER_SECONDS = float("inf")


class Server:
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

    def runs(self, job_started_at: str, *, interrupted: bool = False, fraction: float = 0.5) -> None:
        self.state = Progress(fraction, 1, interrupted, job_started_at)

    def ended(self, job_started_at: str, *, interrupted: bool = False) -> None:
        self.state = Progress(0.0, 0, interrupted, job_started_at)


class Worker:
    """An InterruptWatch, and the progress that it reported."""

    def __init__(self) -> None:
        self.server = Server()
        self.watch = InterruptWatch(self.server)
        self.progress: list[float] = []

    def send(self, *, expected_seconds: float) -> None:
        self.watch.start(RunHooks(lambda: None, self.progress.append, expected_seconds))

    def first_job(self) -> None:
        """Watch a job of unknown duration."""
        self.server.ended("1")
        self.send(expected_seconds=NEVER_SECONDS)
        self.watch.response_began()
        assert not self.watch.was_interrupted()
        assert self.server.polled.acquire(timeout=TIMEOUT_SECONDS)


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_poll_between_the_end_of_a_job_and_its_response_is_the_last(
    worker: Worker, *, interrupted: bool
) -> None:
    worker.first_job()
    worker.server.ended("2", interrupted=interrupted)  # the job's images are being encoded
    worker.send(expected_seconds=0.3)
    assert worker.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    polls = worker.server.polls
    worker.server.state = None
    worker.watch.response_began()
    assert worker.watch.was_interrupted() is interrupted
    assert worker.server.polls == polls


def test_without_such_a_poll_one_is_sent_when_the_response_arrives(worker: Worker) -> None:
    worker.first_job()
    worker.server.ended("2", interrupted=True)
    worker.send(expected_seconds=60.0)
    worker.watch.response_began()
    assert worker.watch.was_interrupted()
    assert worker.server.polls == 2


def test_a_job_that_was_seen_running_is_polled_again_after_its_end(worker: Worker) -> None:
    worker.first_job()
    worker.server.runs("2")
    worker.send(expected_seconds=0.3)
    assert worker.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    worker.server.ended("2", interrupted=True)  # another client, just before the end
    worker.watch.response_began()
    assert worker.watch.was_interrupted()
    assert 0.5 in worker.progress


def test_an_interrupt_of_the_previous_job_does_not_count(worker: Worker) -> None:
    worker.first_job()
    worker.server.ended("1", interrupted=True)  # this worker has cancelled it
    worker.send(expected_seconds=0.3)
    assert worker.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    worker.server.ended("2")
    worker.watch.response_began()
    assert not worker.watch.was_interrupted()


def test_an_interrupt_of_another_client_s_job_before_this_one_does_not_count(worker: Worker) -> None:
    worker.first_job()
    worker.server.ended("2", interrupted=True)  # interrupted by another client
    worker.send(expected_seconds=0.3)
    assert worker.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    worker.server.runs("3")
    assert worker.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    worker.server.ended("3")
    worker.watch.response_began()
    assert not worker.watch.was_interrupted()


def test_the_progress_of_a_job_of_unknown_duration_is_reported(worker: Worker) -> None:
    worker.server.runs("1", fraction=0.25)
    worker.send(expected_seconds=NEVER_SECONDS)
    assert worker.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    worker.server.ended("1")
    worker.watch.response_began()
    assert not worker.watch.was_interrupted()
    assert worker.progress[0] == 0.25


def test_a_server_that_ends_after_its_response_did_not_interrupt_the_job(worker: Worker) -> None:
    worker.send(expected_seconds=NEVER_SECONDS)
    worker.watch.response_began()
    assert not worker.watch.was_interrupted()


def test_the_time_of_the_poll_follows_the_measured_encoding(worker: Worker) -> None:
    worker.first_job()
    before = worker.watch._encoding_fraction
    worker.server.runs("2")
    worker.send(expected_seconds=0.3)
    assert worker.server.polled.acquire(timeout=TIMEOUT_SECONDS)
    worker.watch.response_began()  # soon after a poll of the running job: encoding is short
    worker.watch.was_interrupted()
    assert worker.watch._encoding_fraction < before
