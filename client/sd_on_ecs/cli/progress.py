"""Wait for a task, and show on a terminal where it is."""

from collections.abc import Iterator
from contextlib import contextmanager

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
    position = task["position"]
    if not position:
        return "queued, next" if position == 0 else "queued"
    return f"queued, {position}{'+' if task.get('position_capped') else ''} before it"


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
