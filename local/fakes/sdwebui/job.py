"""One running job: its duration, its steps, and the faults that are injected into it."""

import os
import time
from collections.abc import Callable

from local.fakes.faults import Fault
from local.fakes.sdwebui.errors import recorded_failure
from local.fakes.sdwebui.options import Options
from local.fakes.sdwebui.settings import Settings
from local.fakes.sdwebui.state import State

CRASH_STATUS = 86  # exit status of an injected crash; arbitrary, to tell it from a real one
HANG_POLL_SECONDS = 0.005  # how often a hanging job checks for its release and for interrupts


class Job:
    """Runs the steps of one job in real time.

    A job has `iterations` times `steps` steps, or fewer if the settings limit the steps. A fault is triggered
    when the fraction `Fault.at` of all steps is done.
    """

    def __init__(
        self,
        state: State,
        settings: Settings,
        options: Options,
        injected: dict[str, Fault],
        *,
        iterations: int,
        steps: int,
    ) -> None:
        self._state = state
        self._options = options
        self._steps_per_iteration = min(steps, settings.max_steps) if settings.max_steps else steps
        self._total_steps = max(1, iterations * self._steps_per_iteration)
        self._steps_done = 0
        # Only these faults happen between two steps. Others concern the response or the server, and `slow`
        # changes the duration of the steps.
        self._pending = {name: fault for name, fault in injected.items() if name in self._triggers()}
        self._step_seconds = settings.step_seconds
        if settings.job_seconds is not None:
            self._step_seconds = settings.job_seconds / self._total_steps
        self._slowdown = injected["slow"].factor if "slow" in injected else 1.0
        self._step_seconds *= self._slowdown
        self._next_step_at = time.monotonic()

    def set_step_seconds(self, seconds: float) -> None:
        """Set the duration of each step, not counting the fault `slow`."""
        self._step_seconds = seconds * self._slowdown

    def sample(self, preview: Callable[[float], None]) -> float:
        """Run the steps of one iteration; return the fraction of them that ran: 1 unless it was stopped."""
        state = self._state
        state.sampling_steps = self._steps_per_iteration
        state.sampling_step = 0
        for step in range(1, self._steps_per_iteration + 1):
            self._trigger_faults()  # also before the first step, for a fault at 0
            self._next_step_at += self._step_seconds
            pause = self._next_step_at - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            state.sampling_step = step
            self._steps_done += 1
            preview_interval = self._options["show_progress_every_n_steps"] or 0
            if 0 < preview_interval <= step - state.preview_step and self._options["live_previews_enable"]:
                state.preview_step = step
                preview(step / self._steps_per_iteration)
            self._trigger_faults()
            if state.must_stop() or state.skipped:
                return step / self._steps_per_iteration
        return 1.0

    def _triggers(self) -> dict[str, Callable[[Fault], None]]:
        return {
            "hang": self._hang,
            "crash": lambda _: os._exit(CRASH_STATUS),
            "error": lambda fault: _raise_recorded(fault.kind),
            "out-of-memory": lambda _: _raise_recorded("out-of-memory"),
            "interrupted": self._interrupt,
        }

    def _trigger_faults(self) -> None:
        """Trigger each pending fault whose `at` has been reached."""
        fraction_done = self._steps_done / self._total_steps
        for name, fault in list(self._pending.items()):
            if fraction_done >= min(fault.at, 1.0):
                del self._pending[name]
                self._triggers()[name](fault)

    def _hang(self, fault: Fault) -> None:
        fault.is_holding_a_job = True
        while not fault.released.wait(HANG_POLL_SECONDS):
            if self._state.must_stop() and not fault.ignore_interrupt:
                break
        fault.is_holding_a_job = False
        self._next_step_at = time.monotonic()

    def _interrupt(self, _: Fault) -> None:
        self._state.interrupted = True


def _raise_recorded(kind: str) -> None:
    raise recorded_failure(kind)
