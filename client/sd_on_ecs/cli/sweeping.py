"""Submit a task for each combination of varied values, wait for all, and draw a contact sheet."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sd_on_ecs._sync.client import Client
from sd_on_ecs.api_types import Fault, SubmittedV1Alpha2, Task
from sd_on_ecs.bodies import Body, new_id
from sd_on_ecs.cli.state import ExitCode, Program, warn, write_json
from sd_on_ecs.cli.values import Setter
from sd_on_ecs.contact_sheet import Cell, draw_sheet, require_pillow
from sd_on_ecs.errors import ClientError, InputError, SweepFailed
from sd_on_ecs.sweeps import Axis, columns, combinations, label, parse_axis, task_ids

SHEET = "contact-sheet.png"


@dataclass(frozen=True)
class Sweep:
    """The tasks of a sweep: their common name, their bodies, and what distinguishes them."""

    batch: str
    axes: Sequence[Axis]
    values: Sequence[dict[str, str]]
    bodies: Sequence[Body]

    @property
    def ids(self) -> list[str]:
        """The ids of the tasks."""
        return [body["task"]["metadata"]["id"] for body in self.bodies]


def plan(body: Body, vary: Sequence[str], put: Setter, batch: str | None) -> Sweep:
    """Return the tasks of a sweep; the callback of each has the batch and its values in `context`."""
    axes = [parse_axis(text) for text in vary]
    values = combinations(axes)
    name = batch or new_id()
    bodies = []
    for task_id, chosen in zip(task_ids(name, len(values)), values, strict=True):
        one = copy.deepcopy(body)
        for field, text in chosen.items():
            put(one, field, text)
        metadata = one["task"]["metadata"]
        metadata["id"] = task_id
        metadata.setdefault("context", {"batch": name, "values": chosen})
        bodies.append(one)
    return Sweep(name, axes, values, bodies)


@dataclass(frozen=True, kw_only=True)
class Sweeper:
    """Runs a sweep, and writes the images into a folder with its name."""

    program: Program
    client: Client
    out: Path
    timeout: float | None
    as_json: bool
    sheet: bool

    def submit(self, sweep: Sweep) -> None:
        """Submit all tasks; a fault in the first one means that none is accepted."""
        warned: set[tuple[str, str]] = set()
        count = 0
        try:
            with self._bar("submitting", len(sweep.bodies)) as advance:
                for body in sweep.bodies:
                    submitted = self.client.submit(body)
                    self._check_fields(sweep, submitted)
                    count += 1
                    warned.update((one["path"], one["message"]) for one in submitted["warnings"])
                    advance()
        except ClientError:
            if count:
                names = f"{sweep.ids[0]} to {sweep.ids[count - 1]}"
                self.program.note(f"{count} of {len(sweep.bodies)} tasks were submitted, and go on: {names}")
            raise
        warn(self.program, [Fault(path=path, message=message) for path, message in sorted(warned)])

    def _check_fields(self, sweep: Sweep, submitted: SubmittedV1Alpha2) -> None:
        """Cancel a task and raise `InputError` if it ignores a varied field: all images would be the same."""
        for axis in sweep.axes:
            place = f"/{axis.name.lstrip('/').replace('.', '/')}"
            for warning in submitted["warnings"]:
                if warning["path"].endswith(place):
                    self.client.cancel(submitted["id"])
                    raise InputError(f"--vary {axis.name}: {warning['message']}")

    def finish(self, sweep: Sweep) -> None:
        """Wait for all tasks and download their images; raise `SweepFailed` if a task is not completed."""
        folder = self.out / sweep.batch
        files: dict[str, list[Path]] = {}
        with self._interruptible(sweep), self._bar("waiting", len(sweep.bodies)) as advance:

            def ended(task: Task) -> None:
                if task["status"] == "completed":
                    files[task["id"]] = list(self.client.download(task, folder))
                advance()

            tasks = self.client.wait_all(sweep.ids, timeout=self.timeout, on_end=ended)
        sheet, sheet_error = None, None
        if self.sheet:
            try:
                sheet = self._draw(sweep, tasks, files, folder)
            except OSError as error:
                reason = error.strerror or error
                sheet_error = InputError(f"{folder / SHEET} cannot be written: {reason}")
        self._write(sweep, tasks, files, sheet)
        failed = [task for task in tasks.values() if task["status"] != "completed"]
        if failed:
            raise SweepFailed(sweep.batch, failed, len(tasks))
        if sheet_error:
            raise sheet_error

    def _draw(self, sweep: Sweep, tasks: dict[str, Task], files: dict[str, list[Path]], folder: Path) -> Path:
        cells = []
        for task_id, values in zip(sweep.ids, sweep.values, strict=True):
            error = tasks[task_id]["error"]
            path = next(iter(files.get(task_id, ())), None)
            cells.append(Cell(label(values), path, error["message"] if error else ""))
        folder.mkdir(parents=True, exist_ok=True)
        draw_sheet(cells, columns(sweep.axes, len(cells)), folder / SHEET)
        return folder / SHEET

    def _write(
        self, sweep: Sweep, tasks: dict[str, Task], files: dict[str, list[Path]], sheet: Path | None
    ) -> None:
        paths = {task_id: [str(path) for path in files.get(task_id, ())] for task_id in sweep.ids}
        if self.as_json:
            done = [
                {**tasks[task_id], "values": values, "files": paths[task_id]}
                for task_id, values in zip(sweep.ids, sweep.values, strict=True)
            ]
            write_json({"batch": sweep.batch, "tasks": done, "contact_sheet": str(sheet) if sheet else None})
            return
        for task_id in sweep.ids:
            for path in paths[task_id]:
                self.program.line(path)
        if sheet:
            self.program.line(sheet)

    @contextmanager
    def _bar(self, text: str, total: int) -> Iterator[Any]:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.program.notes,
            disable=not self.program.notes.is_terminal,
        ) as bar:
            row = bar.add_task(text, total=total)
            yield lambda: bar.advance(row)

    @contextmanager
    def _interruptible(self, sweep: Sweep) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            self.program.note(
                f"the tasks {sweep.ids[0]} to {sweep.ids[-1]} go on; "
                f"`sd-on-ecs cancel {sweep.ids[0]} …` stops them"
            )
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except ClientError:
            self.program.note(
                f"the tasks {sweep.ids[0]} to {sweep.ids[-1]} are not lost; "
                f"`sd-on-ecs download {sweep.ids[0]} --wait` gets the images of one"
            )
            raise


def run_sweep(sweeper: Sweeper, sweep: Sweep, *, wait: bool) -> None:
    """Submit a sweep and, if it is wanted, finish it."""
    if wait and sweeper.sheet:
        require_pillow()
    sweeper.program.note(f"{sweep.batch}: {len(sweep.bodies)} tasks")
    sweeper.submit(sweep)
    if wait:
        sweeper.finish(sweep)
    elif sweeper.as_json:
        write_json({"batch": sweep.batch, "tasks": [{"id": one} for one in sweep.ids]})
    else:
        for task_id in sweep.ids:
            sweeper.program.line(task_id)
