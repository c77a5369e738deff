"""Run a child process, collect its output, and stop it with all of its own children."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from local.watchdog import watchdog

KEPT_LINES = 5_000  # of each process's output: bounded, because `make local` may run for days


def free_port() -> int:
    """Return a port of the loopback interface that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ProcessFailed(RuntimeError):
    """A process ended, or did not become ready; the message contains the end of its output."""


class Process:
    """A running child in its own process group, with its output collected line by line.

    The process group has two effects: Ctrl-C reaches the parent only, which then stops its children in order,
    and whatever a child starts (such as ministack's Lambda workers) is stopped with it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        on_line: Callable[[str], None] | None = None,
        stop_seconds: float = 10.0,
        cwd: str | None = None,
    ) -> None:
        self.name = name
        self._on_line = on_line
        self._stop_seconds = stop_seconds
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._changed = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        watchdog.watch(self._process.pid)
        self._reader = threading.Thread(target=self._read, name=f"{name}-output", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, or None while the process is running."""
        return self._process.poll()

    def lines(self) -> list[str]:
        """Return the output so far (the last 5,000 lines)."""
        with self._changed:
            return list(self._lines)

    def tail(self, count: int = 20) -> str:
        """Return the last lines of the output, for an error message."""
        return (
            "\n".join(f"  {self.name} | {line}" for line in self.lines()[-count:])
            or f"  {self.name} | (no output)"
        )

    def wait_for_line(self, text: str, *, timeout: float) -> str:
        """Wait for a line of output that contains `text` and return it, or raise `ProcessFailed`."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._line_with(text) is not None, timeout)
            line = self._line_with(text)
            if line is not None:
                return line
        reason = (
            f"ended with status {self._process.wait(1)}" if self._ended else f"not ready after {timeout:g} s"
        )
        raise ProcessFailed(f"{self.name}: {reason}\n{self.tail()}")

    def wait(self, timeout: float) -> int:
        """Wait for the process to end and return its status, or raise `subprocess.TimeoutExpired`."""
        return self._process.wait(timeout)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, but not to its group."""
        self._process.send_signal(number)

    def stop(self, *, seconds: float | None = None) -> int:
        """Stop the process group by SIGTERM, and after a grace period by SIGKILL; return the exit status."""
        self._signal_group(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._stop_seconds if seconds is None else seconds)
        # Also needed if the process ended by itself, because one of its children may still be running.
        self._signal_group(signal.SIGKILL)
        status = self._process.wait()
        self._reader.join(timeout=1)
        watchdog.release(self._process.pid)
        return status

    def kill(self) -> int:
        """Kill the whole group at once, as if the machine had failed."""
        return self.stop(seconds=0) if self._process.poll() is not None else self._kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _kill(self) -> int:
        self._signal_group(signal.SIGKILL)
        return self.stop()

    def _line_with(self, text: str) -> str | None:
        return next((line for line in self._lines if text in line), None)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        with stream:
            for line in stream:
                text = line.rstrip("\n")
                with self._changed:
                    self._lines.append(text)
                    self._changed.notify_all()
                if self._on_line is not None:
                    self._on_line(text)
        with self._changed:
            self._ended = True
            self._changed.notify_all()
