"""Faults that can be switched on from outside, for some jobs or until further notice."""

import threading
from dataclasses import dataclass, field
from typing import Any

FAULTS = {
    "slow": "each step takes `factor` (10) times as long",
    "hang": "the job stops at `at` and answers only when the fault is cleared, or at an interrupt "
    "(`ignore_interrupt`: not even then)",
    "error": "500 of a recorded `kind`, after the work up to `at`",
    "out-of-memory": "500 with torch's CUDA out of memory, after the work up to `at`",
    "crash": "the process ends at `at`; clients see their connection closed",
    "close": "the connection is closed without an answer after the job was done",
    "truncate": "200, but the connection ends in the middle of the body",
    "refuse": "connections are refused until cleared through the control address",
    "not-ready": "404 for everything below /sdapi until cleared, as in the readiness gap",
    "poison": "the worker is poisoned as by a corrupt checkpoint, from the next job on",
    "wrong-model": "200, but with another checkpoint than the selected one",
    "no-images": "200 with `images: []`",
    "fewer-images": "200 with one image less than asked",
    "interrupted": "somebody else interrupts the job at `at`: 200 with half an image",
}
STANDING = frozenset({"refuse", "not-ready"})  # not of a job: they hold until cleared


@dataclass(eq=False, kw_only=True)
class Fault:
    """Describe one fault: how many jobs it strikes (None: all), after how many, and how far into the job."""

    name: str
    jobs: int | None = None
    after: int = 0
    at: float = 0.5
    kind: str = "out-of-memory"
    factor: float = 10.0
    ignore_interrupt: bool = False
    released: threading.Event = field(default_factory=threading.Event)
    holds: bool = False

    def facts(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "jobs": self.jobs,
            "after": self.after,
            "at": self.at,
            "kind": self.kind,
            "factor": self.factor,
            "ignore_interrupt": self.ignore_interrupt,
        }


class Faults:
    """Hold the faults that are switched on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: list[Fault] = []
        self._holding: list[Fault] = []
        self.refusing = False  # set by the server, when it has done as `refuse` says

    def switch_on(self, fault: Fault) -> None:
        """Add a fault."""
        with self._lock:
            self._on.append(fault)

    def clear(self, name: str | None = None) -> None:
        """Switch off the faults of a name, or all, and let go of the jobs that they hold."""
        with self._lock:
            gone = [f for f in self._on + self._holding if name in (None, f.name)]
            self._on = [f for f in self._on if f not in gone]
            self._holding = [f for f in self._holding if f not in gone]
        for fault in gone:
            fault.released.set()

    def standing(self, name: str) -> bool:
        """Tell whether a fault that is not of a job is on."""
        return any(fault.name == name for fault in self._on)

    def draw(self) -> dict[str, Fault]:
        """Take the faults that strike the next job, by name."""
        struck: dict[str, Fault] = {}
        with self._lock:
            for fault in list(self._on):
                if fault.name in STANDING or fault.name in struck:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                struck[fault.name] = fault
                if fault.jobs is not None:
                    fault.jobs -= 1
                    if fault.jobs <= 0:
                        self._on.remove(fault)
                        self._holding.append(fault)
        return struck

    def done(self, struck: dict[str, Fault]) -> None:
        """Forget the faults of a job that is over."""
        with self._lock:
            self._holding = [f for f in self._holding if f not in struck.values()]

    def held(self) -> int:
        """Count the jobs that a fault holds at this moment."""
        with self._lock:
            return sum(fault.holds for fault in self._on + self._holding)

    def facts(self) -> list[dict[str, Any]]:
        """Return what is switched on."""
        with self._lock:
            return [fault.facts() for fault in self._on]
