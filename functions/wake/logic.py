"""Decide which services to start, and start them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

# A burst of tasks needs one check, not hundreds; next to the minutes that a GPU takes to start, ten seconds
# do not matter.
LOOK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleeper:
    """The service of a runtime and the queue that it serves."""

    service: str
    queue_url: str


class Services(Protocol):
    """Interface to ECS."""

    def desired(self, service: str) -> int:
        """Return the desired count of the service."""

    def start_one(self, service: str) -> None:
        """Set the desired count of the service to one."""


class Queues(Protocol):
    """Interface to SQS."""

    def backlog(self, queue_url: str) -> int:
        """Return the number of messages that are waiting, delayed or in flight."""


class Waker:
    """Start services whose desired count is 0; above 0 they belong to auto scaling and are left alone.

    `clock` returns monotonic seconds.
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
        """Start the given runtimes if they are at zero; return the names of those that were started."""
        known = [name for name in dict.fromkeys(runtimes) if name in self._sleepers]
        return [name for name in known if self._due(name) and self._wake(name)]

    def look(self) -> list[str]:
        """Start every runtime that has messages in its queue; return the names of those that were started."""
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
        # Recorded last, because after a failed check the next event must check again.
        self._looked[name] = self._clock()
        return sleeps
