"""Decide which services to start, and start them, without HTTP or Lambda in it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

# A burst of tasks is one reason to look, not hundreds; a GPU takes minutes to come, ten seconds are nothing.
LOOK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleeper:
    """Name the service of a runtime and the queue that it serves."""

    service: str
    queue_url: str


class Services(Protocol):
    """What the waker asks of ECS."""

    def desired(self, service: str) -> int:
        """Return how many tasks the service is to run."""

    def start_one(self, service: str) -> None:
        """Let the service run one task."""


class Queues(Protocol):
    """What the waker asks of SQS."""

    def backlog(self, queue_url: str) -> int:
        """Return the messages that wait, are delayed or in flight."""


class Waker:
    """Start services at zero; one above zero is the scaling's, and is never touched.

    `clock` returns seconds that never run backwards.
    """

    def __init__(
        self,
        sleepers: Mapping[str, Sleeper],
        *,
        services: Services,
        queues: Queues,
        clock: Callable[[], float],
    ) -> None:
        self._sleepers = sleepers
        self._services = services
        self._queues = queues
        self._clock = clock
        self._looked: dict[str, float] = {}

    def heard(self, runtimes: Iterable[str]) -> list[str]:
        """Wake the runtimes that tasks were published for; return those that were started."""
        known = [name for name in dict.fromkeys(runtimes) if name in self._sleepers]
        return [name for name in known if self._due(name) and self._wake(name)]

    def look(self) -> list[str]:
        """Wake every runtime whose queue holds something; return those that were started."""
        waiting = (name for name, each in self._sleepers.items() if self._queues.backlog(each.queue_url))
        return [name for name in waiting if self._wake(name)]

    def _due(self, name: str) -> bool:
        looked = self._looked.get(name)
        return looked is None or self._clock() - looked >= LOOK_SECONDS

    def _wake(self, name: str) -> bool:
        service = self._sleepers[name].service
        sleeps = self._services.desired(service) == 0
        if sleeps:
            self._services.start_one(service)
        # Only now: a look that failed has seen nothing, and the next event must look again.
        self._looked[name] = self._clock()
        return sleeps
