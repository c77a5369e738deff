"""What all commands share: the options of the program, its two streams, and its exit codes."""

import io
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sd_on_ecs._sync.client import Client
from sd_on_ecs.api_types import Fault
from sd_on_ecs.connection import Connection, find_connection, profiles_file
from sd_on_ecs.errors import (
    ApiError,
    ClientError,
    KeyRefused,
    NotConfigured,
    ServiceFailed,
    SweepFailed,
    TaskFailed,
    Unreachable,
    WaitTimeout,
)


class ExitCode(IntEnum):
    """The exit codes; 0 is success."""

    TASK_FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_CONFIGURED = 4
    UNAVAILABLE = 5
    STILL_RUNNING = 6
    UNFORESEEN = 70
    INTERRUPTED = 130


def exit_code(error: ClientError) -> ExitCode:
    """Return the exit code for an error."""
    if isinstance(error, TaskFailed | SweepFailed):
        return ExitCode.TASK_FAILED
    if isinstance(error, NotConfigured | KeyRefused):
        return ExitCode.NOT_CONFIGURED
    if isinstance(error, Unreachable | ServiceFailed):
        return ExitCode.UNAVAILABLE
    if isinstance(error, WaitTimeout):
        return ExitCode.STILL_RUNNING
    return ExitCode.REFUSED if isinstance(error, ApiError) else ExitCode.USAGE


TABLE_WIDTH: Final = 10_000


@dataclass
class Program:
    """The options before the command, and where to write: results to `out`, everything else to `notes`."""

    endpoint: str | None = None
    key: str | None = None
    profile: str | None = None
    out: Console = field(default_factory=lambda: Console(soft_wrap=True))
    notes: Console = field(default_factory=lambda: Console(stderr=True, soft_wrap=True))

    @property
    def profiles_file(self) -> Path:
        """The file with the profiles."""
        return profiles_file(os.environ)

    def connection(self) -> Connection:
        """Return how to reach the deployment."""
        return find_connection(
            environment=os.environ, endpoint=self.endpoint, key=self.key, profile=self.profile
        )

    def client(self) -> Client:
        """Return a client for the deployment."""
        connection = self.connection()
        return Client(connection.endpoint, connection.key)

    def note(self, text: str) -> None:
        """Write a line that is not a result."""
        self.notes.print(text, markup=False, highlight=False)

    def line(self, text: object) -> None:
        """Write a line of a result, as it is."""
        self.out.print(text, markup=False, highlight=False)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write a table, with a title above each column."""
        table = Table(*(name.replace("_", " ") for name in columns), box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text("" if value is None else str(value)) for value in row))
        self._write(table)

    def fields(self, rows: Mapping[str, object]) -> None:
        """Write names and values, one of them in a line, without those that are None."""
        table = Table.grid(padding=(0, 2), pad_edge=False)
        for name, value in rows.items():
            if value is not None:
                table.add_row(Text(name), Text(str(value)))
        self._write(table)

    def _write(self, table: Table) -> None:
        """Write a table with whole values, however narrow the terminal is, because people copy them."""
        text = io.StringIO()
        Console(file=text, width=TABLE_WIDTH, force_terminal=self.out.is_terminal).print(table)
        for line in text.getvalue().splitlines():
            self.out.file.write(line.rstrip() + "\n")


def program(context: typer.Context) -> Program:
    """Return what the options before the command said."""
    found = context.find_object(Program)
    if found is None:
        raise AssertionError("the callback of the program has set it")
    return found


def write_json(value: Any) -> None:
    """Write one JSON document, which no terminal's width and no colour changes."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def warn(program: Program, warnings: Sequence[Fault]) -> None:
    """Write the warnings of the API."""
    for warning in warnings:
        program.note(f"warning: {warning['path']}: {warning['message']}")
