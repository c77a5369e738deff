"""What a node of the fake can use while it runs."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from local.fakes.comfyui.errors import Interrupted, NodeFailed, WorkerDied
from local.fakes.comfyui.faults import KINDS
from local.fakes.comfyui.folders import Folders
from local.fakes.comfyui.settings import Settings
from local.fakes.faults import Fault

CRASH_STATUS: Final = 86  # exit status of an injected crash; arbitrary, to tell it from a real one
HANG_POLL_SECONDS: Final = 0.005


@dataclass
class Interrupt:
    """The flag that stops the running job at its next step, or before its next node."""

    event: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raise Interrupted if the job was interrupted, and reset the flag."""
        if self.event.is_set():
            self.event.clear()
            raise Interrupted


@dataclass(kw_only=True)
class Context:
    """The job and the node that run now."""

    settings: Settings
    folders: Folders
    interrupt: Interrupt
    injected: dict[str, Fault]
    prompt: dict[str, Any]
    extra_data: dict[str, Any]
    temp_prefix: str
    report: Callable[[float, float], None] = lambda _value, _max: None
    """Called with the progress of the node: value and maximum."""
    loaded: Callable[[str], None] = lambda _name: None
    """Called with the name of a model that was loaded."""
    triggered: set[str] = field(default_factory=set)

    def sample(self, steps: int) -> None:
        """Spend the time of a sampler's steps, report each, and trigger the faults of the job."""
        seconds = self.settings.step_seconds
        if self.settings.job_seconds is not None:
            seconds = self.settings.job_seconds / max(1, steps)
        if "slow" in self.injected:
            seconds *= self.injected["slow"].factor
        next_step_at = time.monotonic()
        for step in range(1, steps + 1):
            self.trigger((step - 1) / steps)
            self.interrupt.check()
            next_step_at = max(next_step_at, time.monotonic() - seconds) + seconds
            self.pause(next_step_at - time.monotonic())
            self.report(step, steps)
        self.trigger(1.0)
        self.interrupt.check()

    def pause(self, seconds: float) -> None:
        """Wait, or stop waiting when the job is interrupted."""
        if seconds > 0:
            self.interrupt.event.wait(seconds)

    def trigger(self, fraction: float) -> None:
        """Trigger the faults whose `at` is reached when this fraction of the job is done, each once."""
        for name, fault in self.injected.items():
            if name in self.triggered or fraction < min(fault.at, 1.0):
                continue
            self.triggered.add(name)
            if name == "crash":
                os._exit(CRASH_STATUS)
            elif name == "dead-worker":
                raise WorkerDied
            elif name == "error" and not fault.node:
                raise NodeFailed(*KINDS[fault.kind])
            elif name == "interrupted":
                self.interrupt.event.set()
            elif name == "hang":
                self._hang(fault)

    def _hang(self, fault: Fault) -> None:
        fault.is_holding_a_job = True
        while not fault.released.wait(HANG_POLL_SECONDS):
            if self.interrupt.event.is_set() and not fault.ignore_interrupt:
                break
        fault.is_holding_a_job = False


@dataclass(frozen=True)
class Result:
    """The outputs of a node, and what an output node reports."""

    outputs: tuple[Any, ...] = ()
    ui: dict[str, Any] | None = None
