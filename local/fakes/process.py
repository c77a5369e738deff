"""Start a fake as a process, and call its /fake routes."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from local.fakes.serving import BOOTING, READY
from local.process import Process, ProcessFailed

START_SECONDS = 60.0  # usually under 2 s, but imports are slow on a busy machine
STOP_SECONDS = 10.0
ROOT = Path(__file__).parents[2]


class FakeError(RuntimeError):
    """A fake did not start, or one of its /fake routes failed."""


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
        """Return the counts: begun, ended, model_loads, busy_seconds and more."""
        counts: dict[str, Any] = self._call("GET", "/stats")
        return counts

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs: route, prompt, seed, began, ended, outcome, model."""
        jobs: list[dict[str, Any]] = self._call("GET", "/jobs")
        return jobs

    def wait(self, *, timeout: float = 30, **counts: int) -> dict[str, Any]:
        """Wait until counts are reached and return all; `held` counts the jobs that hang because of a fault.

        Others are `arrived`, `begun`, `ended`, `waiting`, `step` and `model_loads`. Raise FakeError after
        `timeout` seconds.
        """
        query = "&".join(f"{name}={minimum}" for name, minimum in {**counts, "timeout": timeout}.items())
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
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise FakeError(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from None


class FakeServer:
    """A running fake with its `url`, its `control` and its process."""

    options: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, process: Process, url: str, control: str) -> None:
        self.process = process
        self.url = url
        self.control = Control(control)

    @property
    def port(self) -> int:
        """Return its port, so that another fake can be started in its place."""
        return int(self.url.rsplit(":", 1)[1])

    def stop(self) -> int:
        """Stop it as ECS does (SIGTERM, then SIGKILL); return the exit status."""
        return self.process.stop()

    def kill(self) -> int:
        """Kill it; return the exit status."""
        return self.process.kill()


def start_process(name: str, module: str, flags: list[str], *, booting: bool) -> tuple[Process, str, str]:
    """Start a fake and wait until it accepts connections, or boots; return its process, URL and control URL.

    Raise FakeError when it does not start.
    """
    # The fake needs no AWS account, so it gets no variables that name one.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = Process(
        name,
        [sys.executable, "-m", module, *flags],
        environment=inherited | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        cwd=str(ROOT),
        stop_seconds=STOP_SECONDS,
    )
    try:
        line = process.wait_for_line(BOOTING if booting else READY, timeout=START_SECONDS)
    except ProcessFailed as error:
        process.kill()
        raise FakeError(str(error)) from None
    addresses = dict(part.split("=", 1) for part in line.split() if "=" in part)
    return process, addresses["url"], addresses["control"]


def flags_of(settings: dict[str, Any], *, negative: dict[str, str]) -> list[str]:
    """Return command-line options; `negative` has those of settings that are False."""
    flags = []
    for name, value in settings.items():
        flag = "--" + name.replace("_", "-")
        if value is None or value is False:
            flags += [negative[name]] if value is False and name in negative else []
        elif value is True:
            flags.append(flag)
        else:
            for each in value if isinstance(value, list | tuple) else [value]:
                flags += [flag, str(each)]
    return flags
