"""Wait for a task, and show on a terminal where it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import typer
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from sd_on_ecs._sync.client import Client
from sd_on_ecs.api_types import Task
from sd_on_ecs.cli.state import ExitCode, Program


def wait_for(program: Program, client: Client, task_id: str, timeout: float | None) -> Task:
    """Return a task when it has ended; on Ctrl-C, say how to go on."""
    with _interruptible(program, task_id), _bar(program) as bar:
        row = bar.add_task("submitted", total=1)

        def show(task: Task) -> None:
            bar.update(row, description=describe(task), completed=task["progress"])

        return client.wait(task_id, timeout=timeout, on_update=show)


def describe(task: Task) -> str:
    """Return the state of a task in a few words."""
    if task["status"] != "queued":
        return task["status"]
    words = ["queued"]
    position = task["position"]
    if position is not None:
        more = "+" if task.get("position_capped") else ""
        words.append(f"{position}{more} before it" if position else "next")
    # Not `task[…]`: a deployment of an earlier version has no estimates.
    if estimate := task.get("estimated_start"):
        seconds = (datetime.fromisoformat(estimate) - datetime.now(UTC)).total_seconds()
        words.append(f"starts in about {duration(seconds)}")
    return ", ".join(words)


def duration(seconds: float) -> str:
    """Return a time in the unit that people would use for an estimate."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def _interruptible(program: Program, task_id: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        program.note(
            f"{task_id} goes on; `sd-on-ecs download {task_id} --wait` gets its images, "
            f"`sd-on-ecs cancel {task_id}` stops it"
        )
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _bar(program: Program) -> Progress:
    return Progress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=program.notes,
        disable=not program.notes.is_terminal,
    )
