"""Leaving in time, whatever hangs: SIGTERM comes with a deployment, a scale-in, a spot interruption."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from container.consumer.gpu import Gpu
from container.consumer.pace import Pace

log = logging.getLogger(__name__)

LAST_WORD_SECONDS: Final = 8
"""Between the interrupt and the end of the process: for the last writes, and for a Web UI that hangs."""

LOOK_SECONDS: Final = 0.5


class Departure:
    """Set `leaving` on the first signal, stop what cannot end in time, and end the process on the second."""

    def __init__(
        self, gpu: Gpu, pace: Pace, *, leave_seconds: float, give_all_back: Callable[[], None]
    ) -> None:
        self.leaving = threading.Event()
        self._gpu = gpu
        self._pace = pace
        self._leave_seconds = leave_seconds
        self._give_all_back = give_all_back

    def install(self) -> None:
        """Listen to SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)

    def _signalled(self, number: int, _frame: Any) -> None:
        if self.leaving.is_set():
            threading.Thread(target=self._end, name="end", daemon=True).start()
            return
        log.info("leaving", extra={"signal": signal.Signals(number).name})
        self.leaving.set()
        self._gpu.leave()
        threading.Thread(target=self._watch, name="departure", daemon=True).start()

    def _watch(self) -> None:
        """Interrupt the running job once it cannot end in time; end the process when that does not help."""
        deadline = time.monotonic() + self._leave_seconds
        while (left := deadline - time.monotonic()) > 0:
            self._gpu.observe()
            current = self._gpu.current
            remaining = self._pace.remaining()
            if current is not None and remaining > left and remaining != float("inf"):
                break
            time.sleep(min(LOOK_SECONDS, left))
        current = self._gpu.current
        if current is not None:
            log.info("the running job cannot end in time", extra={"task_id": current.id})
            self._gpu.stop(current)
        time.sleep(LAST_WORD_SECONDS)
        log.warning("something hangs: giving back what is held")
        self._end()

    def _end(self) -> None:
        """Give back what is held and end the process; the exit must not wait for any thread."""
        giver = threading.Thread(target=self._give_all_back, name="give-back", daemon=True)
        giver.start()
        giver.join(LAST_WORD_SECONDS / 2)
        os._exit(1)
