"""The line before the GPU: one job at a time, first come, first served, without a limit."""

import threading
from collections import deque
from types import TracebackType

from local.fakes.sdwebui.ledger import Ledger


class Line:
    """Let one holder through at a time in order of arrival; who waits holds a thread and hears nothing."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._changed = threading.Condition()
        self._tickets: deque[object] = deque()

    def __enter__(self) -> None:
        ticket = object()
        with self._changed:
            self._tickets.append(ticket)
            self._ledger.waiting = len(self._tickets) - 1
            self._changed.wait_for(lambda: self._tickets[0] is ticket)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._tickets.popleft()
            self._ledger.waiting = max(0, len(self._tickets) - 1)
            self._changed.notify_all()
