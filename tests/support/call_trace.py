"""Trace what a consumer calls for one successful task; `python -m tests.support.call_trace` prints it."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from local.emulator import run_emulator
from local.fakes.sdwebui.process import running as fake_webui
from tests.support.cloud import Cloud, make_cloud
from tests.support.consumers import ROOT, running_consumer

CODE = tuple(f"{ROOT / name}/" for name in ("container", "adapters", "domain", "runtimes"))
LIFE = "container/consumer/lifecycle/task_run.py"
ROOMS = ("engines", "inputs", "model_store", "telemetry")
"""Rooms of the consumer whose inside need not be known to follow a task."""


@dataclass(frozen=True)
class Call:
    """A call from one file to another."""

    depth: int
    caller: str
    file: str
    function: str
    within_room: bool
    """A room was entered before: who follows a task need not go there."""


@dataclass
class Trace:
    """The calls of one thread, in order."""

    calls: list[Call] = field(default_factory=list)

    def record(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Record a call of one file by another; `sys.setprofile` calls this."""
        if event != "call" or (file := _file(frame)) is None:
            return
        callers = [name for name in _files_above(frame) if name is not None]
        below = callers[: callers.index(LIFE)] if LIFE in callers else []
        within_room = any(_room(caller) != caller for caller in below)
        if LIFE in (file, *callers) and callers and callers[0] != file:
            self.calls.append(Call(len(callers), callers[0], file, frame.f_code.co_qualname, within_room))

    def files(self) -> set[str]:
        """Return the files that have to be opened to follow the task; a package counts as one."""
        return {_room(call.file) for call in self.calls if not call.within_room}


def _file(frame: FrameType) -> str | None:
    name = frame.f_code.co_filename
    return str(Path(name).relative_to(ROOT)) if name.startswith(CODE) else None


def _files_above(frame: FrameType) -> Iterator[str | None]:
    above = frame.f_back
    while above is not None:
        yield _file(above)
        above = above.f_back


def _room(file: str) -> str:
    parts = Path(file).parts
    if parts[0] != "container":
        return parts[0]
    return parts[2] if parts[2] in ROOMS else file


@contextmanager
def tracing() -> Iterator[Trace]:
    """Trace the threads of all consumers that start within the block."""
    trace = Trace()

    def begin(frame: FrameType, event: str, argument: Any) -> None:
        if threading.current_thread().name == "worker":
            sys.setprofile(trace.record)
            trace.record(frame, event, argument)
        else:
            sys.setprofile(None)

    threading.setprofile(begin)
    try:
        yield trace
    finally:
        threading.setprofile(None)


def trace_one_task(cloud: Cloud, webui_url: str, task_id: str) -> Trace:
    """Run one task with all steps in one thread, and return its calls."""
    with tracing() as trace, running_consumer(cloud, webui_url, prefetch=0):
        cloud.submit(task_id)
        cloud.outcome(task_id)
    return trace


def main() -> None:
    """Print the calls of one task."""
    with run_emulator() as aws, fake_webui(step_seconds=0.01, load_seconds=0.02) as webui:
        trace = trace_one_task(make_cloud(aws), webui.url, "traced")
    for call in trace.calls:
        print(f"{'  ' * call.depth}{call.function}  ({call.file})")
    print(f"\n{len(trace.files())} files and rooms: {', '.join(sorted(trace.files()))}")


if __name__ == "__main__":
    main()
