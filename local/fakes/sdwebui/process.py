"""Start the stand-in as a process of its own, and talk to its /stand-in routes."""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any

from local.fakes.sdwebui.checkpoint_file import write_checkpoint
from local.guard import guard

READY = "stand-in ready"
START_SECONDS = 60.0  # imports on a loaded machine; normally under 2 s
STOP_SECONDS = 10.0
ROOT = Path(__file__).parents[3]


class StandInError(RuntimeError):
    """Say that the stand-in did not start, or did not do what its control routes were asked."""


class Control:
    """Speak with a stand-in's own routes. `url` is its main address or its control address."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") + "/stand-in"

    def set(self, name: str, **details: Any) -> None:
        """Switch a fault on: `jobs`, `after`, `at`, `kind`, `factor`, `ignore_interrupt`."""
        self._call("POST", "/faults", {"name": name, **details})

    def clear(self, name: str | None = None) -> None:
        """Switch faults off, and release what hangs on them."""
        self._call("DELETE", f"/faults/{name}" if name else "/faults")

    def stats(self) -> dict[str, Any]:
        """Return the counts: begun, ended, waiting, most_at_once, model_loads, busy_seconds and more."""
        counts: dict[str, Any] = self._call("GET", "/stats")
        return counts

    def jobs(self) -> list[dict[str, Any]]:
        """Return what was run: route, prompt, seed, began, ended, outcome, model."""
        jobs: list[dict[str, Any]] = self._call("GET", "/jobs")
        return jobs

    def wait(self, *, timeout: float = 30, **counts: int) -> dict[str, Any]:
        """Wait until counts are reached: `arrived`, `begun`, `ended`, `held`, `step` and so on."""
        query = "&".join(f"{name}={least}" for name, least in {**counts, "timeout": timeout}.items())
        reached: dict[str, Any] = self._call("GET", f"/wait?{query}", timeout=timeout + 10)
        return reached

    def _call(self, method: str, path: str, body: Any = None, timeout: float = 10) -> Any:
        request = urllib.request.Request(  # noqa: S310 -- the stand-in's own address
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 -- as above
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise StandInError(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from None


def faults(url: str) -> Control:
    """Return the control of the stand-in at `url`."""
    return Control(url)


class StandIn:
    """Hold a running stand-in: its `url`, its `control`, its process."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, control: str) -> None:
        self.process = process
        self.url = url
        self.control = Control(control)

    @property
    def port(self) -> int:
        """Return its port, to start another one in its place."""
        return int(self.url.rsplit(":", 1)[1])

    def stop(self) -> int:
        """End it as ECS would (SIGTERM, then SIGKILL); returns the exit status."""
        self.process.terminate()
        return self._reap()

    def kill(self) -> int:
        """End it at once."""
        self.process.kill()
        return self._reap()

    def _reap(self) -> int:
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait(STOP_SECONDS)
        if self.process.stdout:
            self.process.stdout.close()
        guard.release(self.process.pid)
        return status


def start(*, port: int = 0, log: IO[str] | int | None = None, **settings: Any) -> StandIn:
    """Start it and wait until it accepts connections.

    `settings` are the command line's options (`step_seconds=0.01`, `model_dir=path`, `api_server_stop=True`,
    `fault=["slow:1"]`). `log` takes its standard error; the default is this process's own.
    """
    command = [sys.executable, "-m", "local.fakes.sdwebui", "--port", str(port), *_flags(settings)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    guard.watch(process.pid)
    try:
        line = _first_line(process)
        facts = dict(part.split("=", 1) for part in line.split() if "=" in part)
        return StandIn(process, facts["url"], facts["control"])
    except BaseException:
        process.kill()
        process.wait(STOP_SECONDS)
        guard.release(process.pid)
        raise


@contextlib.contextmanager
def running(
    *, port: int = 0, log: IO[str] | int | None = None, **settings: Any
) -> Generator[StandIn, None, None]:
    """Run a stand-in for the length of a `with` block; settings as for `start`."""
    stand_in = start(port=port, log=log, **settings)
    try:
        yield stand_in
    finally:
        stand_in.stop()


def _flags(settings: dict[str, Any]) -> list[str]:
    flags = []
    for name, value in settings.items():
        flag = "--" + name.replace("_", "-")
        if value is None or value is False:
            flags += ["--nowebui"] if name == "web_ui" and value is False else []
        elif value is True:
            flags.append(flag)
        else:
            for one in value if isinstance(value, list | tuple) else [value]:
                flags += [flag, str(one)]
    return flags


def _first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None  # noqa: S101 -- it is a pipe
    last = time.monotonic() + START_SECONDS
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        if not ready.select(last - time.monotonic()):
            raise StandInError(f"the stand-in said nothing for {START_SECONDS:.0f} s")
    line = process.stdout.readline()
    if not line.startswith(READY):
        raise StandInError(
            f"the stand-in did not start (exit status {process.wait(STOP_SECONDS)}): {line.strip()}"
        )
    return line


__all__ = ["Control", "StandIn", "StandInError", "faults", "running", "start", "write_checkpoint"]
