"""Run the command `sd-on-ecs` as a person does, in a process of its own."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

CLIENT = Path(__file__).parents[2] / "client"
SECONDS = 60.0


@dataclass(frozen=True)
class Command:
    """Runs the command in a folder, with an environment."""

    folder: Path
    environment: Mapping[str, str]

    def __call__(
        self, *arguments: str, status: int = 0, text: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Return what the command wrote; it must end with `status`, and reads `text`."""
        done = subprocess.run(
            [sys.executable, "-m", "sd_on_ecs", *arguments],
            cwd=self.folder,
            env={**self.environment, **environment},
            input=text,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    @contextmanager
    def on_terminal(self, *arguments: str) -> Iterator["OnTerminal"]:
        """Run the command on a terminal inside a `with` block."""
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "sd_on_ecs", *arguments],
            cwd=self.folder,
            env={**self.environment, "TERM": "xterm", "NO_COLOR": "1"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        try:
            yield OnTerminal(process, controller)
        finally:
            process.kill()
            process.wait()
            os.close(controller)


@dataclass
class OnTerminal:
    """A running command and what it has shown."""

    process: "subprocess.Popen[bytes]"
    controller: int
    shown: str = field(default="")

    def read_until(self, text: str) -> None:
        """Read until the command has shown `text`."""
        while text not in self.shown:
            assert self._read(), f"ended without {text!r}: {self.shown}"

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
            data = os.read(self.controller, 4096)
        except OSError:  # Linux says so when the last program has closed its terminal
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)
