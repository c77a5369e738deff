"""Whether anyone interrupted a job is known when its response is there, from a look while it still runs."""

import threading

import pytest

from container.consumer.engines.base import RunHooks
from container.consumer.engines.sdwebui.interrupt_watch import InterruptWatch, Progress
from domain.errors import ErrorCode, RetryableError

SOON = 5.0
NEVER = float("inf")


class Server:
    """Answers looks with a state that the test sets."""

    def __init__(self) -> None:
        self.state: Progress | None = None
        self.looks = 0
        self.looked = threading.Semaphore(0)

    def progress(self) -> Progress:
        self.looks += 1
        state = self.state
        self.looked.release()
        if state is None:
            raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, "gone")
        return state

    def runs(self, job: str, *, interrupted: bool = False, fraction: float = 0.5) -> None:
        self.state = Progress(fraction, 1, interrupted, job)

    def ended(self, job: str, *, interrupted: bool = False) -> None:
        self.state = Progress(0.0, 0, interrupted, job)


class Line:
    """A watch, and the jobs that it watched."""

    def __init__(self) -> None:
        self.server = Server()
        self.watch = InterruptWatch(self.server)
        self.progress: list[float] = []

    def send(self, *, expected_seconds: float) -> None:
        self.watch.sent(RunHooks(lambda: None, self.progress.append, expected_seconds))

    def first_job(self) -> None:
        """Watch a job whose length nobody knows."""
        self.server.ended("1")
        self.send(expected_seconds=NEVER)
        self.watch.answered()
        assert not self.watch.was_interrupted()
        assert self.server.looked.acquire(timeout=SOON)


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_look_between_a_job_s_end_and_its_response_is_the_last_one(
    line: Line, *, interrupted: bool
) -> None:
    line.first_job()
    line.server.ended("2", interrupted=interrupted)  # its images are being encoded
    line.send(expected_seconds=0.3)
    assert line.server.looked.acquire(timeout=SOON)
    looks = line.server.looks
    line.server.state = None
    line.watch.answered()
    assert line.watch.was_interrupted() is interrupted
    assert line.server.looks == looks


def test_without_such_a_look_one_is_taken_when_the_response_arrives(line: Line) -> None:
    line.first_job()
    line.server.ended("2", interrupted=True)
    line.send(expected_seconds=60.0)
    line.watch.answered()
    assert line.watch.was_interrupted()
    assert line.server.looks == 2


def test_a_job_that_was_seen_running_is_looked_at_again_after_its_end(line: Line) -> None:
    line.first_job()
    line.server.runs("2")
    line.send(expected_seconds=0.3)
    assert line.server.looked.acquire(timeout=SOON)
    line.server.ended("2", interrupted=True)  # somebody came in the last moment
    line.watch.answered()
    assert line.watch.was_interrupted()
    assert 0.5 in line.progress


def test_the_state_of_the_job_before_is_not_taken_for_that_of_this_one(line: Line) -> None:
    line.first_job()
    line.server.ended("1", interrupted=True)  # this worker has cancelled it
    line.send(expected_seconds=0.3)
    assert line.server.looked.acquire(timeout=SOON)
    line.server.ended("2")
    line.watch.answered()
    assert not line.watch.was_interrupted()


def test_a_job_that_begins_after_another_client_s_has_the_last_word(line: Line) -> None:
    line.first_job()
    line.server.ended("2", interrupted=True)  # another client's
    line.send(expected_seconds=0.3)
    assert line.server.looked.acquire(timeout=SOON)
    line.server.runs("3")
    assert line.server.looked.acquire(timeout=SOON)
    line.server.ended("3")
    line.watch.answered()
    assert not line.watch.was_interrupted()


def test_a_job_of_unknown_length_is_looked_at_so_that_its_progress_tells(line: Line) -> None:
    line.server.runs("1", fraction=0.25)
    line.send(expected_seconds=NEVER)
    assert line.server.looked.acquire(timeout=SOON)
    line.server.ended("1")
    line.watch.answered()
    assert not line.watch.was_interrupted()
    assert line.progress[0] == 0.25


def test_a_server_that_is_gone_after_a_whole_response_interrupted_nothing(line: Line) -> None:
    line.send(expected_seconds=NEVER)
    line.watch.answered()
    assert not line.watch.was_interrupted()


def test_the_time_of_the_look_follows_what_was_seen(line: Line) -> None:
    line.first_job()
    before = line.watch._encoding
    line.server.runs("2")
    line.send(expected_seconds=0.3)
    assert line.server.looked.acquire(timeout=SOON)
    line.watch.answered()  # so soon after a look at the running job, its images cannot take long to encode
    line.watch.was_interrupted()
    assert line.watch._encoding < before
