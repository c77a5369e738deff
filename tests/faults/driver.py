"""A seeded driver that breaks everything a pipeline stands on, while tasks go through it."""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from container.consumer.shutdown import REPLACE_ENGINE
from local.fakes.sdwebui.process import FakeWebUi, FakeWebUiError, start
from local.process import Process
from local.worker import worker
from tests.faults.deployed import Deployed

VISIBILITY_SECONDS: Final = 6
FROZEN_SECONDS: Final = VISIBILITY_SECONDS + 2
AWAKE_SECONDS: Final = 5
"""A worker that woke up late deletes what it stored; killed before that, it could not."""

SETTINGS: Final = {
    "VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
    "RETRY_DELAY_SECONDS": "1",
    "SHUTDOWN_SECONDS": "3",
    "INFERENCE_TIMEOUT_SECONDS": "4",
}
WEBUI: Final[dict[str, Any]] = {"step_seconds": 0.03, "load_seconds": 0.1, "gap_seconds": 0.2}
FAULT_SHARE: Final = 0.05
"""Of all calls to AWS; botocore tries five times, so few of them reach the consumer as an error."""

RECENT: Final = 3
"""So many of the last tasks are likely to be queued or running."""

LOOK_SECONDS: Final = 0.2


@dataclass
class Place:
    """A GPU's place: a Web UI and its consumer, which ECS would start again."""

    webui: FakeWebUi
    consumer: Process
    parts: ExitStack
    wakes_at: float | None = None
    spared_until: float = 0.0
    most_at_once: int = 0


@dataclass
class Driver:
    """Break things, one every second or so, in an order that the random seed decides."""

    deployed: Deployed
    seed: int
    places: list[Place] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    last_words: Counter[str] = field(default_factory=Counter)
    """Last lines of consumers that ended by an exception."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def open(self, count: int) -> None:
        """Start so many places."""
        for _ in range(count):
            webui = start(**WEBUI)
            self.places.append(Place(webui, *self._consumer(webui)))

    def close(self) -> None:
        """Stop everything."""
        for place in self.places:
            with suppress(ProcessLookupError):
                place.consumer.send(signal.SIGCONT)
            place.parts.close()
            place.webui.kill()

    def strike(self) -> None:
        """Do one bad thing."""
        action = self._random.choice(
            (
                *(self._kill, self._terminate, self._freeze, self._crash, self._hang),
                *(self._again, self._again, self._interrupt, self._truncate, self._cancel),
                *(self._foreign, self._dead_letter),
            )
        )
        self.done[action.__name__.strip("_")] += 1
        action(self._random.choice(self.places), self._task())

    def look_after(self, seconds: float) -> None:
        """Start again what ended and wake what was frozen, for so long: what ECS does."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for place in self.places:
                self._look_after(place)
            time.sleep(LOOK_SECONDS)

    def calm(self) -> None:
        """Break nothing more."""
        self.deployed.proxy.clear()
        for place in self.places:
            with suppress(FakeWebUiError, OSError):
                place.webui.control.clear()

    def _look_after(self, place: Place) -> None:
        now = time.monotonic()
        if place.wakes_at is not None and now >= place.wakes_at:
            place.consumer.send(signal.SIGCONT)
            place.wakes_at, place.spared_until = None, now + AWAKE_SECONDS
        if place.consumer.returncode is not None:
            self.done[f"status {place.consumer.returncode}"] += 1
            if place.consumer.returncode == 1:
                self.last_words[place.consumer.tail(1)[:200]] += 1
            if place.consumer.returncode == REPLACE_ENGINE:
                place.webui.kill()
            place.parts.close()
            place.consumer, place.parts = self._consumer(place.webui)
        if place.webui.process.returncode is not None:
            place.webui.stop()
            place.webui = start(port=place.webui.port, **WEBUI)
        with suppress(FakeWebUiError, OSError):
            most = place.webui.control.stats()["most_at_once"]
            place.most_at_once = max(place.most_at_once, most)

    def _consumer(self, webui: FakeWebUi) -> tuple[Process, ExitStack]:
        parts = ExitStack()
        settings = SETTINGS | {"AWS_ENDPOINT_URL": self.deployed.proxy.url}
        started = worker(
            self.deployed.aws,
            self.deployed.pipeline.deployment,
            self.deployed.runtime,
            environment=settings,
            engine_url=webui.url,
        )
        return parts.enter_context(started).consumer, parts

    def _task(self) -> str:
        """Draw a task, more often one that is likely to be on its way."""
        accepted = list(self.deployed.accepted)
        return self._random.choice(self._random.choice((accepted, accepted[-RECENT:], accepted[-RECENT:])))

    def _free(self, place: Place) -> bool:
        return place.wakes_at is None and time.monotonic() >= place.spared_until

    def _kill(self, place: Place, _task: str) -> None:
        if self._free(place):
            place.consumer.kill()

    def _terminate(self, place: Place, _task: str) -> None:
        if self._free(place) and place.consumer.returncode is None:
            place.consumer.send(signal.SIGTERM)

    def _freeze(self, place: Place, _task: str) -> None:
        if self._free(place) and place.consumer.returncode is None:
            place.consumer.send(signal.SIGSTOP)
            place.wakes_at = time.monotonic() + FROZEN_SECONDS

    def _crash(self, place: Place, _task: str) -> None:
        self._fault(place, "crash")

    def _hang(self, place: Place, _task: str) -> None:
        self._fault(place, "hang")

    def _interrupt(self, place: Place, _task: str) -> None:
        self._fault(place, "interrupted")

    def _truncate(self, place: Place, _task: str) -> None:
        self._fault(place, "truncate")

    def _again(self, _place: Place, task: str) -> None:
        self.deployed.receive_messages()
        if task in self.deployed.messages:
            self.deployed.publish(self.deployed.messages[task])

    def _cancel(self, _place: Place, task: str) -> None:
        self.deployed.cancel(task)

    def _foreign(self, _place: Place, _task: str) -> None:
        self.deployed.publish_foreign(self._random)

    def _dead_letter(self, _place: Place, task: str) -> None:
        self.deployed.receive_messages()
        if task in self.deployed.messages:
            self.deployed.dead_letter(task)

    def _fault(self, place: Place, name: str) -> None:
        with suppress(FakeWebUiError, OSError):  # it is just being started again
            place.webui.control.set(name, jobs=1)


@contextmanager
def driving(deployed: Deployed, *, seed: int, places: int) -> Iterator[Driver]:
    """Run a driver with so many places until the block ends."""
    driver = Driver(deployed, seed)
    try:
        driver.open(places)
        yield driver
    finally:
        driver.close()
