"""Start the fake as a process, and call its /fake routes."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.fakes.sdwebui.checkpoint_file import write_checkpoint
from local.process import Process, ProcessFailed

READY, BOOTING = "fake ready", "fake boots"
START_SECONDS = 60.0  # usually under 2 s, but imports are slow on a busy machine
STOP_SECONDS = 10.0
ROOT = Path(__file__).parents[3]


class FakeWebUiError(RuntimeError):
    """The fake did not start, or one of its /fake routes failed."""


class Control:
    """Client of a fake's own routes; `url` is its main or its control address."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") + "/fake"

    def set(self, name: str, **details: Any) -> None:
        """Switch a fault on: `jobs`, `after`, `at`, `kind`, `factor`, `ignore_interrupt`."""
        self._call("POST", "/faults", {"name": name, **details})

    def clear(self, name: str | None = None) -> None:
        """Switch faults off, and release the jobs that hang because of them."""
        self._call("DELETE", f"/faults/{name}" if name else "/faults")

    def stats(self) -> dict[str, Any]:
        """Return the counts: begun, ended, waiting, most_at_once, model_loads, busy_seconds and more."""
        counts: dict[str, Any] = self._call("GET", "/stats")
        return counts

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs: route, prompt, seed, began, ended, outcome, model."""
        jobs: list[dict[str, Any]] = self._call("GET", "/jobs")
        return jobs

    def wait(self, *, timeout: float = 30, **counts: int) -> dict[str, Any]:
        """Wait until counts are reached: `arrived`, `begun`, `ended`, `held`, `step` and others."""
        query = "&".join(f"{name}={least}" for name, least in {**counts, "timeout": timeout}.items())
        reached: dict[str, Any] = self._call("GET", f"/wait?{query}", timeout=timeout + 10)
        return reached

    def _call(self, method: str, path: str, body: Any = None, timeout: float = 10) -> Any:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise FakeWebUiError(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from None


class FakeWebUi:
    """A running fake SD Web UI with its `url`, its `control` and its process."""

    def __init__(self, process: Process, url: str, control: str) -> None:
        self.process = process
        self.url = url
        self.control = Control(control)

    @property
    def port(self) -> int:
        """Return its port, with which another one can be started in its place."""
        return int(self.url.rsplit(":", 1)[1])

    def stop(self) -> int:
        """Stop it as ECS does (SIGTERM, then SIGKILL); return the exit status."""
        return self.process.stop()

    def kill(self) -> int:
        """Kill it; return the exit status."""
        return self.process.kill()


def start(*, port: int = 0, **settings: Any) -> FakeWebUi:
    """Start a fake and wait until it accepts connections, or with `boot_seconds` until it starts to boot.

    `settings` are the command line's options (`step_seconds=0.01`, `model_dir=path`, `api_server_stop=True`,
    `fault=["slow:1"]`). Raise FakeWebUiError when it does not start.
    """
    # The fake needs no AWS account, so it gets no variables that name one.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = Process(
        "fake SD Web UI",
        [sys.executable, "-m", "local.fakes.sdwebui", "--port", str(port), *_flags(settings)],
        environment=inherited | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        cwd=str(ROOT),
        stop_seconds=STOP_SECONDS,
    )
    try:
        sign = BOOTING if settings.get("boot_seconds") else READY
        line = process.wait_for_line(sign, timeout=START_SECONDS)
    except ProcessFailed as failed:
        process.kill()
        raise FakeWebUiError(str(failed)) from None
    facts = dict(part.split("=", 1) for part in line.split() if "=" in part)
    return FakeWebUi(process, facts["url"], facts["control"])


@contextmanager
def running(*, port: int = 0, **settings: Any) -> Iterator[FakeWebUi]:
    """Run a fake SD Web UI until the block ends; settings as for `start`."""
    fake = start(port=port, **settings)
    try:
        yield fake
    finally:
        fake.stop()


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


__all__ = ["Control", "FakeWebUi", "FakeWebUiError", "running", "start", "write_checkpoint"]
