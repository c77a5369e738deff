"""Start the stand-in SD Web UI as a process."""

import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from local.deploy import ROOT
from local.emulator import without_aws
from local.process import Process, ProcessFailed, free_port

READY_SECONDS = 30.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A running stand-in."""

    url: str
    process: Process


@contextmanager
def stand_in(environment: Mapping[str, str], *arguments: str) -> Iterator[StandIn]:
    """Run `python -m local.webui` on a free port until the block ends; arguments are its own."""
    port = free_port()
    with Process(
        "stand-in",
        [sys.executable, "-m", "local.webui", "--port", str(port), *arguments],
        environment=without_aws(environment) | {"PYTHONUNBUFFERED": "1"},
        cwd=str(ROOT),
        stop_seconds=3.0,
    ) as process:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, f"{url}/sdapi/v1/progress")
        yield StandIn(url=url, process=process)


def _wait_until_ready(process: Process, url: str) -> None:
    """Ask the API itself: `/` of a Web UI answers before the API exists."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with opener.open(url, timeout=5):
                return
        except OSError as error:
            if process.returncode is not None or time.monotonic() > deadline:
                raise ProcessFailed(f"{process.name} does not answer: {error}\n{process.tail()}") from error
            time.sleep(POLL_SECONDS)
