"""Web UI's own tasks: jobs with a `force_task_id`, whose progress its page requests under /internal."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.fakes.sdwebui.state import State

MAX_FINISHED = 16


class Tasks:
    """The named tasks that wait, run, or are finished."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._pending: OrderedDict[str, None] = OrderedDict()
        self._finished: list[str] = []
        self._current: str | None = None

    @contextmanager
    def queued(self, name: str | None) -> Iterator[None]:
        """Regard a task as pending until it runs."""
        if name:
            self._pending[name] = None
        try:
            yield
        finally:
            self._pending.pop(name or "", None)

    @contextmanager
    def running(self, name: str | None) -> Iterator[None]:
        """Regard a task as running; a failed task remains so until the next job begins."""
        self._pending.pop(name or "", None)
        self._current = name
        yield
        self._current = None
        if name:
            self._finished = [*self._finished[1 - MAX_FINISHED :], name]

    def pending(self) -> dict[str, Any]:
        """Return the pending tasks."""
        return {"size": len(self._pending), "tasks": list(self._pending)}

    def progress(self, name: str | None) -> dict[str, Any]:
        """Return the progress of a task."""
        is_active = name is not None and name == self._current
        is_queued = name in self._pending
        response: dict[str, Any] = {
            "active": is_active,
            "queued": is_queued,
            "completed": name in self._finished,
            "progress": None,
            "eta": None,
            "live_preview": None,
            "id_live_preview": -1,
            "textinfo": "Waiting...",
        }
        if is_queued:
            position = list(self._pending).index(name or "") + 1
            response["textinfo"] = f"In queue: {position}/{len(self._pending)}"
        if is_active:
            fraction, seconds_left = self._state.progress()
            fraction = max(0.0, fraction - 0.01)  # the page does not show the 1 % with which a job begins
            response.update(progress=fraction, eta=seconds_left if fraction > 0 else None, textinfo=None)
        return response
