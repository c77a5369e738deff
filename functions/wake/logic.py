"""Decide which services to start, and start them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

# A burst of tasks needs one check, not hundreds; next to the minutes that a GPU takes to start, ten seconds
# do not matter.
CHECK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeService:
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
        runtimes: Mapping[str, RuntimeService],
        *,
        services: Services,
        queues: Queues,
        clock: Callable[[], float],
    ) -> None:
        self._runtimes = runtimes
        self._services = services
        self._queues = queues
        self._clock = clock
        self._checked_at: dict[str, float] = {}

    def start_published(self, runtimes: Iterable[str]) -> list[str]:
        """Start the given runtimes if they are at zero; return the names of those that were started."""
        known = [name for name in dict.fromkeys(runtimes) if name in self._runtimes]
        return [name for name in known if self._due(name) and self._start_if_stopped(name)]

    def start_waiting(self) -> list[str]:
        """Start every runtime that has messages in its queue; return the names of those that were started."""
        waiting = (name for name, each in self._runtimes.items() if self._queues.backlog(each.queue_url))
        return [name for name in waiting if self._start_if_stopped(name)]

    def _due(self, name: str) -> bool:
        checked_at = self._checked_at.get(name)
        return checked_at is None or self._clock() - checked_at >= CHECK_SECONDS

    def _start_if_stopped(self, name: str) -> bool:
        service = self._runtimes[name].service
        stopped = self._services.desired(service) == 0
        if stopped:
            self._services.start_one(service)
        # Recorded last, because after a failed check the next event must check again.
        self._checked_at[name] = self._clock()
        return stopped
