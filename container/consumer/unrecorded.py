"""State without a table: rows of the tasks in hand, in memory (design, section 5, `TASK_TABLE` empty)."""

import threading

from adapters.table import Written
from domain.row import Row
from domain.transition import Transition


class Unrecorded:
    """Apply transitions to rows that nobody else sees: no claim holds between workers, no cancel arrives."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._lock = threading.Lock()

    def get(self, task_id: str) -> Row | None:
        """Return None: every delivery makes its row anew."""
        del task_id
        return None

    def write(self, task_id: str, transition: Transition) -> Written:
        """Apply a transition to the row in hand."""
        with self._lock:
            if transition.replace:
                row = Row(dict(transition.set))
                self._rows[task_id] = row
                return Written(done=True, row=row)
            known = self._rows.get(task_id)
            if known is None or not transition.allowed(known.item):
                return Written(done=False, row=known)
            row = Row(transition.applied(known.item))
            if row.status.final:
                self._rows.pop(task_id)
            else:
                self._rows[task_id] = row
            return Written(done=True, row=row)
