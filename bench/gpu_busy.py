"""How long the GPU waits between two jobs, in milliseconds, beside a client that only posts ready bodies.

Pictures of about 3 MB go in (over HTTP) and out, and a call to AWS takes 30 ms. The consumer and the bare
client take turns at the same server, so that whatever else the machine does hits both; a bare client is the
limit without a second job in SD Web UI's own queue, from where it could not be withdrawn.
"""

import http.client
import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.table import Table

from bench.environment import (
    Resources,
    as_json,
    base64_text,
    consumer,
    peak_mebibytes,
    wait_for_outcomes,
)
from bench.stub_webui import measurements, picture, stub_webui, wait_for_jobs
from local.emulator import Emulator, emulator
from local.process import Process
from runtimes.sdwebui.task_type import TaskType

JOB_SECONDS = 0.4
ROUNDS = 3
BARE_JOBS, TASKS = 6, 8
WARM_UP = 3
"""Jobs at the beginning of a turn that do not count: the queue was empty before them."""

INPUT_SIDE = 1024
MOST_RATIO, MOST_MEBIBYTES = 1.5, 150
PARTS = ("encoded", "written", "asked", "received", "begun")
"""What stands between two jobs, as the server sees it: it encodes the response and writes it, the client
sends the next request, which the server receives, decodes and begins."""

Job = dict[str, float]


@dataclass
class Gaps:
    """The gaps of one client."""

    lost: list[float] = field(default_factory=list)
    parts: list[list[float]] = field(default_factory=list)

    def add(self, jobs: list[Job]) -> None:
        """Add the gaps between jobs that followed each other."""
        for before, after in pairwise(jobs):
            moments = [before["ended"], before["encoded"], before["written"]]
            moments += [after["asked"], after["received"], after["begun"]]
            self.lost.append((after["begun"] - before["ended"]) * 1000)
            self.parts.append([(b - a) * 1000 for a, b in pairwise(moments)])

    @property
    def median(self) -> float:
        """Return the median of the lost milliseconds."""
        return statistics.median(self.lost)

    def shown(self) -> list[str]:
        """Return median and mean, and the median of each part."""
        parts = [f"{statistics.median(column):.1f}" for column in zip(*self.parts, strict=True)]
        return [f"{self.median:.1f} / {statistics.mean(self.lost):.1f}", *parts]


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    side: int
    with_input: bool
    heartbeat: bool

    @property
    def name(self) -> str:
        """Return how the row is called."""
        return f"{self.side}²" + (", input" if self.with_input else "")

    def content(self, image: str) -> dict[str, Any]:
        """Return a task's content, with the image as a link or as base64."""
        body: dict[str, Any] = {"prompt": "a cat", "steps": 16, "width": self.side, "height": self.side}
        return body | ({"init_images": [image]} if self.with_input else {})

    @property
    def tasktype(self) -> TaskType:
        """Return what kind of task it is."""
        return TaskType.IMAGE_TO_IMAGE if self.with_input else TaskType.TEXT_TO_IMAGE


def bare(webui_url: str, path: str, body: bytes) -> None:
    """Post ready bodies one after the other, with the standard library."""
    address = urlsplit(webui_url)
    client = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    for _ in range(BARE_JOBS):
        client.request("POST", path, body, {"content-type": "application/json"})
        client.getresponse().read()
    client.close()


@contextmanager
def serving(data: bytes) -> Iterator[str]:
    """Serve one picture over HTTP and yield its link."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "image/png")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/reference.png"
    finally:
        server.shutdown()


def run(aws: Emulator, case: Case, image: bytes) -> tuple[Gaps, Gaps, float]:
    """Return the gaps of the bare client, those of the consumer, and the consumer's peak MiB."""
    resources = Resources.create(aws)
    body = as_json(case.content(base64_text(image)))
    path = f"/sdapi/v1/{'img2img' if case.with_input else 'txt2img'}"
    limit, found = Gaps(), Gaps()
    with (
        serving(image) as link,
        stub_webui(job_seconds=JOB_SECONDS, side_pixels=case.side) as url,
        consumer(aws, resources, url, {}, heartbeat=case.heartbeat) as process,
    ):
        wait_for_line(process)
        for number in range(1, ROUNDS + 1):
            before = len(jobs(url))
            bare(url, path, body)
            limit.add(jobs(url)[before + 1 :])
            resources.send(aws, [case.content(link)] * TASKS, case.tasktype, first=before)
            done = before + BARE_JOBS + TASKS
            wait_for_jobs(url, done, process=process, seconds=TASKS * (JOB_SECONDS + 3))
            found.add(jobs(url)[before + BARE_JOBS + WARM_UP :])
            wait_for_outcomes(process, number * TASKS, seconds=30)
        peak = peak_mebibytes(process)
    return limit, found, peak


def wait_for_line(process: Process) -> None:
    """Wait until the consumer is up."""
    process.wait_for_line("consumer started", timeout=60)


def jobs(webui_url: str) -> list[Job]:
    """Return what the server noted about its jobs."""
    return list(measurements(webui_url)["details"])


def main(
    only: Annotated[list[str] | None, typer.Argument(help="Sides in pixels, such as 512.")] = None,
) -> None:
    """Print a table of the cases."""
    cases = [
        Case(side, with_input, heartbeat)
        for side in (512, 1024)
        if not only or str(side) in only
        for with_input, heartbeat in ((True, True), (True, False), (False, True))
    ]
    console = Console(width=140)
    begun, image = time.monotonic(), picture(INPUT_SIDE)
    load = os.getloadavg()[0]
    result = Table(title=f"Lost between two jobs of {JOB_SECONDS} s, in ms (30 ms a call to AWS)")
    for title in ("images", "client", "median / mean", *PARTS, "ratio", "peak memory", ""):
        result.add_column(title, justify="left" if title in ("images", "client") else "right")
    with emulator() as aws:
        for case in cases:
            limit, found, peak = run(aws, case, image)
            ratio = found.median / limit.median
            good = ratio <= MOST_RATIO and peak <= MOST_MEBIBYTES
            client = "consumer" if case.heartbeat else "consumer, no heartbeat"
            verdict = "ok" if good else "MISSED"
            result.add_row(case.name, "bare", *limit.shown(), "1", "", "")
            result.add_row(case.name, client, *found.shown(), f"{ratio:.2f}", f"{peak:.0f} MiB", verdict)
            result.add_section()
    console.print(result)
    console.print(
        f"Goal: a ratio of at most {MOST_RATIO} and {MOST_MEBIBYTES} MiB. "
        f"Took {time.monotonic() - begun:.0f} s; "
        f"load of the machine {load:.1f} before, {os.getloadavg()[0]:.1f} after."
    )


if __name__ == "__main__":
    typer.run(main)
