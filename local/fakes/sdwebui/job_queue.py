"""SD Web UI's queue: one job runs at a time, in order of arrival; any number can wait."""

import threading
from collections import deque
from types import TracebackType

from local.fakes.sdwebui.stats import Stats


class JobQueue:
    """A context manager that lets one thread in at a time, in order of arrival; the others wait."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._changed = threading.Condition()
        self._tickets: deque[object] = deque()

    def __enter__(self) -> None:
        ticket = object()
        with self._changed:
            self._tickets.append(ticket)
            self._stats.waiting = len(self._tickets) - 1
            self._changed.wait_for(lambda: self._tickets[0] is ticket)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._tickets.popleft()
            self._stats.waiting = max(0, len(self._tickets) - 1)
            self._changed.notify_all()
