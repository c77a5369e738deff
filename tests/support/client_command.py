"""Run the command `sd-on-ecs` as a person does, in a process of its own."""

import contextlib
import fcntl
import io
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pytest

from sd_on_ecs.cli.app import main

CLIENT = Path(__file__).parents[2] / "client"
SECONDS = 120.0  # seconds on an idle machine
NOTHING: Mapping[str, str] = MappingProxyType({})
PROGRAM = (sys.executable, "-m", "sd_on_ecs")


@contextmanager
def own_environment(environment: Mapping[str, str]) -> Iterator[None]:
    """Replace the environment of this process inside a `with` block, and the folder for temporary files."""
    before, temporary = dict(os.environ), tempfile.tempdir
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = environment["TMPDIR"]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        tempfile.tempdir = temporary


@dataclass(frozen=True)
class Command:
    """Runs the command in a folder, with an environment."""

    folder: Path
    environment: Mapping[str, str]

    def __call__(
        self, *arguments: str, status: int = 0, text: str = "", environment: Mapping[str, str] = NOTHING
    ) -> subprocess.CompletedProcess[str]:
        """Return what the command wrote; it must end with `status`, and reads `text`."""
        return self.run([*PROGRAM, *arguments], environment, status=status, text=text)

    def inside(
        self, *arguments: str, status: int = 0, environment: Mapping[str, str] = NOTHING
    ) -> subprocess.CompletedProcess[str]:
        """Run the command in this process, which takes a fraction of the time."""
        out, notes = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.folder),
            own_environment({**self.environment, **environment}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(notes),
            pytest.raises(SystemExit) as ended,
        ):
            main(arguments)
        assert ended.value.code == status, out.getvalue() + notes.getvalue()
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), notes.getvalue())

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], *, status: int = 0, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Return what a program wrote; it must end with `status`."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env={**self.environment, **environment},
            input=text,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == status, f"{words}\n{done.stdout}{done.stderr}"
        return done

    @contextmanager
    def on_terminal(self, *words: str) -> Iterator["OnTerminal"]:
        """Run a program on a terminal inside a `with` block."""
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
        process = subprocess.Popen(
            words,
            cwd=self.folder,
            env={**self.environment, "TERM": "xterm", "NO_COLOR": "1"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            # A test run in the background of a shell ignores Ctrl-C, and so would its programs.
            preexec_fn=_react_to_ctrl_c,  # noqa: PLW1509 - it calls nothing that takes a lock
        )
        os.close(terminal)
        try:
            yield OnTerminal(process, controller)
        finally:
            process.kill()
            process.wait()
            os.close(controller)


def _react_to_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class OnTerminal:
    """A running program and what it has written."""

    process: "subprocess.Popen[bytes]"
    controller: int
    written: str = field(default="")

    def read_until(self, text: str) -> None:
        """Read until the program has written `text`."""
        while text not in self.written:
            assert self._read(), f"ended without {text!r}: {self.written}"

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Read all, and return the exit code."""
        while self._read():
            pass
        return self.process.wait(SECONDS)

    def _read(self) -> bool:
        try:
            data = os.read(self.controller, 65536)
        except OSError:  # Linux says so when the last program has closed its terminal
            return False
        self.written += data.decode(errors="replace")
        return bool(data)
