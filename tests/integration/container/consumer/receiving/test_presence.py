"""What the API reads of a worker that starts or ends."""

import threading
from collections.abc import Callable
from typing import Any

from adapters.workers import WorkerRows
from container.consumer.engines.base import Artifact, Loaded, Request, Result, RunHooks, Verdict
from domain.errors import ErrorCode, RetryableError
from domain.estimate import Workers
from tests.support.cloud import RUNTIME, Cloud
from tests.support.consumers import RunningConsumer, running_consumer
from tests.support.toy.engine import ToyEngine

WAIT_SECONDS = 20


class BreakingEngine(ToyEngine):
    """Breaks at its second job, while its first one is still read."""

    def __init__(self) -> None:
        super().__init__()
        self.may_be_read, self.is_given_up = threading.Event(), threading.Event()
        self._jobs = 0

    def run(self, _request: Request, _loaded: Loaded, hooks: RunHooks) -> Callable[[], Result]:
        hooks.sent()
        self._jobs += 1
        if self._jobs > 1:
            raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, "it is broken")

        def read() -> Result:
            self.may_be_read.wait(WAIT_SECONDS)
            return Result([Artifact(b"x".strip, 1, {})], {})

        return read

    def diagnose(self, _error: Exception) -> Verdict:
        return Verdict.BROKEN

    def recover(self) -> bool:
        self.is_given_up.set()
        return False


class StartingEngine(ToyEngine):
    """Is not ready when the shutdown begins, and ends its wait only when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked_to_stop, self.may_stop = threading.Event(), threading.Event()

    def wait_ready(self, stop: threading.Event, _seconds: float) -> bool:
        stop.wait(WAIT_SECONDS)
        self.is_asked_to_stop.set()
        self.may_stop.wait(WAIT_SECONDS)
        return False


def workers(cloud: Cloud) -> Workers:
    """Return what the API reads."""
    return WorkerRows(cloud.deployment.dynamodb, cloud.deployment.environment.task_table).read(RUNTIME)


def row(cloud: Cloud, consumer: RunningConsumer) -> Any:
    """Return a worker's row."""
    key = consumer.worker._registry._key
    answer = cloud.deployment.dynamodb.get_item(TableName=cloud.deployment.environment.task_table, Key=key)
    return answer.get("Item")


def test_a_worker_that_gives_up_its_engine_is_not_shown_as_starting(cloud: Cloud, task_id: str) -> None:
    engine = BreakingEngine()
    with running_consumer(cloud, "http://127.0.0.1:1", engines={"sdwebui": lambda *_: engine}) as consumer:
        for number in range(2):
            cloud.submit(f"{task_id}-{number}")
        assert engine.is_given_up.wait(WAIT_SECONDS)
        cloud.wait_until(lambda: not consumer.worker._gpu.engine_ready)
        consumer.worker._heartbeat.beat()
        assert workers(cloud).starting_seconds == []
        engine.may_be_read.set()


def test_a_worker_that_shuts_down_before_it_was_ready_never_counts_as_running(cloud: Cloud) -> None:
    engine, before = StartingEngine(), workers(cloud)
    with running_consumer(cloud, "http://127.0.0.1:1", engines={"sdwebui": lambda *_: engine}) as consumer:
        cloud.wait_until(lambda: len(workers(cloud).starting_seconds) == 1)
        consumer.shutting_down.set()
        assert engine.is_asked_to_stop.wait(WAIT_SECONDS)
        announced = row(cloud, consumer)
        consumer.worker._heartbeat.beat()
        assert row(cloud, consumer) == announced
        engine.may_stop.set()
    after = workers(cloud)
    assert (after.starting_seconds, len(after.start_seconds)) == ([], len(before.start_seconds))
