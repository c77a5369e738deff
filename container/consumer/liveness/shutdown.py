"""Leaving in time, whatever hangs: SIGTERM comes with a deployment, a scale-in, a spot interruption."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from container.consumer.engines.gpu import Gpu
from container.consumer.scheduling.duration import DurationEstimator

log = logging.getLogger(__name__)

REPLACE_WEBUI: Final = 75
"""Exit status that ECS ignores, so that it replaces the whole task (design, section 5); EX_TEMPFAIL."""

LAST_WORD_SECONDS: Final = 8
"""Between the interrupt and the end of the process: for the last writes, and for a Web UI that hangs."""

GIVE_BACK_SECONDS: Final = 4
"""What giving back may take in the very end, when AWS hangs too."""

LOOK_SECONDS: Final = 0.25

_UNKNOWN: Final = float("inf")


class GracefulShutdown:
    """Set `leaving` on the first signal, stop what cannot end in time, and end the process on the second.

    `give_all_back` returns what gives back each thing in hand, for when the worker does not come to it;
    `on_replace` is told why this SD Web UI must be replaced.
    """

    def __init__(
        self,
        gpu: Gpu,
        pace: DurationEstimator,
        *,
        leave_seconds: float,
        give_all_back: Callable[[], Sequence[Callable[[], None]]],
        on_replace: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self.leaving = threading.Event()
        self._gpu = gpu
        self._pace = pace
        self._leave_seconds = leave_seconds
        self._give_all_back = give_all_back
        self._on_replace = on_replace
        self._ending = threading.Lock()
        gpu.when_stuck(self.replace)

    def install(self) -> None:
        """Listen to SIGTERM and SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)

    def replace(self, reason: str) -> None:
        """End the process because this SD Web UI must be replaced, giving back what is held."""
        log.error("SD Web UI must be replaced", extra={"reason": reason})
        self._on_replace(reason)
        self._end(REPLACE_WEBUI)

    def _signalled(self, number: int, _frame: Any) -> None:
        second = self.leaving.is_set()
        self.leaving.set()
        threading.Thread(
            target=self._end if second else self._watch,
            args=(1,) if second else (signal.Signals(number).name,),
            name="departure",
            daemon=True,
        ).start()

    def _watch(self, told_by: str) -> None:
        """Interrupt the running job once it cannot end in time; end the process when that does not help."""
        log.info("leaving", extra={"signal": told_by})
        self._gpu.leave()
        deadline = time.monotonic() + self._leave_seconds
        while (left := deadline - time.monotonic()) > 0:
            # The heartbeat asks for the job's progress: asking here could hang. Without progress a job gets
            # all the time that there is: an estimate from other jobs is no reason to throw its work away.
            if left < self._pace.observed_remaining() < _UNKNOWN:
                break
            time.sleep(min(LOOK_SECONDS, left))
        current = self._gpu.current
        if current is not None:
            log.info("the running job cannot end in time", extra={"task_id": current.id})
            self._gpu.stop(current)
        time.sleep(LAST_WORD_SECONDS)
        log.warning("something hangs: giving back what is held")
        self._end(1)

    def _end(self, status: int) -> None:
        """Give back what is held and end the process; the exit must not wait for any thread."""
        if not self._ending.acquire(blocking=False):
            return
        givers = [
            threading.Thread(target=action, name="give-back", daemon=True) for action in self._give_all_back()
        ]
        for giver in givers:
            giver.start()
        deadline = time.monotonic() + GIVE_BACK_SECONDS
        for giver in givers:
            giver.join(max(0.0, deadline - time.monotonic()))
        logging.shutdown()
        os._exit(status)
