"""Run a consumer in a thread of this process, or as a process."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3

from container.consumer.composition import Clients, Engines, compose
from container.consumer.engines.registry import ENGINES
from container.consumer.scheduling.loop import Worker
from container.consumer.settings import Settings
from local.emulator import REGION
from local.process import Process
from tests.support.cloud import Cloud
from tests.support.failing_aws import FaultyClients

ROOT = Path(__file__).parents[2]
END_SECONDS = 30.0


@dataclass
class RunningConsumer:
    """A consumer in a thread.

    When it has ended, `ended` is set, and `error` is the exception that it raised, if any. When it would have
    ended its process, `exited` is set, and `exit_status` is the status.
    """

    shutting_down: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    exited: threading.Event = field(default_factory=threading.Event)
    exit_status: int | None = None
    worker: Worker = field(init=False)

    def exit(self, status: int) -> None:
        """Record the status with which the process would have ended."""
        self.exit_status = status
        self.exited.set()

    def shut_down(self) -> None:
        """Request the shutdown and wait until the consumer has ended."""
        self.shutting_down.set()
        assert self.ended.wait(END_SECONDS), "the consumer did not shut down"


@contextmanager
def running_consumer(
    cloud: Cloud,
    webui_url: str,
    *,
    endpoint: str | None = None,
    faults: FaultyClients | None = None,
    engines: Engines = ENGINES,
    **settings: Any,
) -> Iterator[RunningConsumer]:
    """Run a consumer in a thread of this process until the block ends.

    `endpoint` is used instead of the emulator's, for example a proxy. `faults` makes clients of AWS fail.
    """
    environment = cloud.consumer_environment(
        webui_url, receive_seconds=1, **settings
    )  # a shutdown waits for the long poll
    read = Settings(**{name.lower(): value for name, value in environment.items()})  # type: ignore[arg-type]
    session = boto3.session.Session(
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name=REGION,
    )
    client: Clients = partial(session.client, endpoint_url=endpoint or cloud.aws.endpoint_url)
    running = RunningConsumer()
    consumer = compose(
        read,
        faults.clients(client) if faults else client,
        engines=engines,
        shutting_down=running.shutting_down,
        exit_process=running.exit,
    )

    running.worker = consumer.worker

    def run() -> None:
        try:
            consumer.worker.run()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            running.error = error
            logging.getLogger(__name__).info("the worker ended: %r", error)
        finally:
            running.ended.set()

    threading.Thread(target=run, name="worker", daemon=True).start()
    try:
        yield running
    finally:
        running.shut_down()


@contextmanager
def process(
    cloud: Cloud, webui_url: str, *, endpoint: str | None = None, **settings: Any
) -> Iterator[Process]:
    """Run `python -m container.consumer` until the block ends; `endpoint` stands before AWS."""
    environment = cloud.aws.environment(os.environ) | cloud.consumer_environment(webui_url, **settings)
    if endpoint is not None:
        environment["AWS_ENDPOINT_URL"] = endpoint
    with Process(
        "consumer",
        [sys.executable, "-m", "container.consumer"],
        environment=environment,
        cwd=str(ROOT),
        stop_seconds=END_SECONDS,
    ) as consumer:
        yield consumer
        consumer.send(signal.SIGCONT)
