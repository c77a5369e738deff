"""Faults that are injected into a fake, for a number of jobs or until they are cleared."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import typer


@dataclass(eq=False, kw_only=True)
class Fault:
    """One fault.

    It affects `jobs` jobs (None: all) after the next `after` ones, when the fraction `at` of a job is done.
    `kind` is the error to respond with, and `factor` how many times slower the steps are.
    """

    name: str
    jobs: int | None = None
    after: int = 0
    at: float = 0.5
    kind: str = "out-of-memory"
    node: str = ""
    factor: float = 10.0
    ignore_interrupt: bool = False
    released: threading.Event = field(default_factory=threading.Event)
    is_holding_a_job: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the fault as JSON."""
        return {
            "name": self.name,
            "jobs": self.jobs,
            "after": self.after,
            "at": self.at,
            "kind": self.kind,
            "node": self.node,
            "factor": self.factor,
            "ignore_interrupt": self.ignore_interrupt,
        }


def fault_option(text: str, names: Collection[str]) -> Fault:
    """Return the fault that an option `--fault NAME` or `--fault NAME:JOBS` switches on."""
    name, _, jobs = text.partition(":")
    if name not in names or (not jobs.isdigit() and jobs):
        raise typer.BadParameter(
            f"{text!r}: NAME or NAME:JOBS, with one of {', '.join(names)}", param_hint="--fault"
        )
    return Fault(name=name, jobs=int(jobs) if jobs else None)


class Faults:
    """The faults that are switched on; those in `until_cleared` affect the whole server and not a job."""

    def __init__(self, until_cleared: frozenset[str]) -> None:
        self._until_cleared = until_cleared
        self._lock = threading.Lock()
        self._on: list[Fault] = []
        self._used_up: list[Fault] = []
        """Faults for no further job, which may still let a job hang until they are cleared."""
        self.refusing = False
        """Whether the server refuses connections now, as the fault `refuse` demands."""

    def switch_on(self, fault: Fault) -> None:
        """Add a fault."""
        with self._lock:
            self._on.append(fault)

    def clear(self, name: str | None = None) -> None:
        """Switch off the faults with a name, or all, and release the jobs that hang because of them."""
        with self._lock:
            cleared = [fault for fault in self._on + self._used_up if name in (None, fault.name)]
            self._on = [fault for fault in self._on if fault not in cleared]
            self._used_up = [fault for fault in self._used_up if fault not in cleared]
        for fault in cleared:
            fault.released.set()

    def is_on(self, name: str) -> bool:
        """Return whether a fault of the server is on."""
        return any(fault.name == name for fault in self._on)

    def for_next_job(self) -> dict[str, Fault]:
        """Return the faults of the next job by name, and count the job."""
        injected: dict[str, Fault] = {}
        with self._lock:
            for fault in list(self._on):
                if fault.name in self._until_cleared or fault.name in injected:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                injected[fault.name] = fault
                if fault.jobs is not None:
                    fault.jobs -= 1
                    if fault.jobs <= 0:
                        self._on.remove(fault)
                        self._used_up.append(fault)
        return injected

    def end_job(self, injected: dict[str, Fault]) -> None:
        """Forget the faults of a job that has ended."""
        with self._lock:
            self._used_up = [fault for fault in self._used_up if fault not in injected.values()]

    def held(self) -> int:
        """Return the number of jobs that hang because of a fault."""
        with self._lock:
            return sum(fault.is_holding_a_job for fault in self._on + self._used_up)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the faults that are switched on as JSON."""
        with self._lock:
            return [fault.to_json() for fault in self._on]
