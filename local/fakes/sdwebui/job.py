"""One job while it runs: its time, its steps, and the faults that strike it."""

import os
import time
from collections.abc import Callable

from local.fakes.sdwebui.errors import recorded_failure
from local.fakes.sdwebui.faults import Fault
from local.fakes.sdwebui.options import Options
from local.fakes.sdwebui.settings import Settings
from local.fakes.sdwebui.state import State

CRASHED = 86  # exit status of a crash that was asked for
HELD_POLL_SECONDS = 0.005  # a held job looks for its release and for interrupts that often


class Job:
    """Walk through the steps of one job in real time.

    `iterations` times `steps` make the whole; faults strike when the share `at` of it is done.
    """

    def __init__(
        self,
        state: State,
        settings: Settings,
        options: Options,
        struck: dict[str, Fault],
        *,
        iterations: int,
        steps: int,
    ) -> None:
        self._state = state
        self._options = options
        self._steps = steps
        self._walked = min(steps, settings.max_steps) if settings.max_steps else steps
        self._whole = max(1, iterations * self._walked)
        self._done = 0
        self._due = {name: fault for name, fault in struck.items() if name in self._strikes()}
        self._seconds = settings.step_seconds
        if settings.job_seconds is not None:
            self._seconds = settings.job_seconds / self._whole
        self._slowness = struck["slow"].factor if "slow" in struck else 1.0
        self._seconds *= self._slowness
        self._deadline = time.monotonic()

    def pace(self, seconds: float) -> None:
        """Let each step take that long."""
        self._seconds = seconds * self._slowness

    def sample(self, preview: Callable[[float], None]) -> float:
        """Walk the steps of one iteration; returns the share that was done when it stopped (0-1)."""
        state = self._state
        state.sampling_steps = self._walked
        state.sampling_step = 0
        for step in range(1, self._walked + 1):
            self._strike()
            self._deadline += self._seconds
            pause = self._deadline - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            state.sampling_step = step
            self._done += 1
            every = self._options["show_progress_every_n_steps"] or 0
            if 0 < every <= step - state.preview_step and self._options["live_previews_enable"]:
                state.preview_step = step
                preview(step / self._walked)
            self._strike()
            if state.stopped() or state.skipped:
                return step / self._walked
        return 1.0

    def _strikes(self) -> dict[str, Callable[[Fault], None]]:
        return {
            "hang": self._hang,
            "crash": lambda _: os._exit(CRASHED),
            "error": lambda fault: _raise(fault.kind),
            "out-of-memory": lambda _: _raise("out-of-memory"),
            "interrupted": self._interrupt,
        }

    def _strike(self) -> None:
        """Let the faults strike whose moment has come: at the first step that reaches it."""
        share = self._done / self._whole
        for name, fault in list(self._due.items()):
            if share >= min(fault.at, 1.0):
                del self._due[name]
                self._strikes()[name](fault)

    def _hang(self, fault: Fault) -> None:
        fault.holds = True
        while not fault.released.wait(HELD_POLL_SECONDS):
            if self._state.stopped() and not fault.ignore_interrupt:
                break
        fault.holds = False
        self._deadline = time.monotonic()

    def _interrupt(self, _: Fault) -> None:
        self._state.interrupted = True


def _raise(kind: str) -> None:
    raise recorded_failure(kind)
