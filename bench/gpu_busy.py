"""Measure how long the GPU waits between two jobs of the consumer, compared with a minimal client.

Pictures of about 3 MB go in (over HTTP) and out, and a call to AWS takes 30 ms. The minimal client only posts
prepared bodies, so no client can be faster that sends one job at a time. Both take turns at the same server,
so that other work on the machine slows both.
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
    base64_text,
    consumer,
    json_bytes,
    peak_mebibytes,
    wait_for_outcomes,
)
from bench.stub_webui import get_measurements, noise_png, stub_webui, wait_for_jobs
from domain.output import OutputOptions
from local.emulator import Emulator, run_emulator
from runtimes.sdwebui.task_type import TaskType

JOB_SECONDS = 0.4
ROUNDS = 3
MINIMAL_CLIENT_JOBS, TASKS = 6, 8
WARM_UP_JOBS = 3
"""The consumer's first jobs of a turn do not count, because its queue was empty before them."""

INPUT_SIDE_PIXELS = 1024
MAX_RATIO, MAX_MEBIBYTES = 1.5, 150
CONVERSION = OutputOptions("webp")
"""Encoding a WebP takes ten times as long as a JPEG."""

PARTS = ("encoded", "written", "asked", "received", "begun")
"""What stands between two jobs, as the server sees it: it encodes the response and writes it, the client
sends the next request, which the server receives, decodes and begins."""

Job = dict[str, float]


@dataclass
class Gaps:
    """The times between the jobs of one client, in milliseconds."""

    milliseconds: list[float] = field(default_factory=list)
    parts: list[list[float]] = field(default_factory=list)
    """The same, divided into `PARTS`."""

    def add(self, jobs: list[Job]) -> None:
        """Add the gaps between jobs that followed each other."""
        for before, after in pairwise(jobs):
            moments = [before["ended"], before["encoded"], before["written"]]
            moments += [after["asked"], after["received"], after["begun"]]
            self.milliseconds.append((after["begun"] - before["ended"]) * 1000)
            self.parts.append([(end - start) * 1000 for start, end in pairwise(moments)])

    @property
    def median(self) -> float:
        """Return the median gap in milliseconds."""
        return statistics.median(self.milliseconds)

    def table_cells(self) -> list[str]:
        """Return median and mean in one cell, and a cell with the median of each part."""
        parts = [f"{statistics.median(column):.1f}" for column in zip(*self.parts, strict=True)]
        return [f"{self.median:.1f} / {statistics.mean(self.milliseconds):.1f}", *parts]


@dataclass(frozen=True)
class Case:
    """One case that is measured: a row of the table for each client."""

    side_pixels: int
    with_input: bool
    heartbeat: bool

    @property
    def name(self) -> str:
        """Return the case's name in the table."""
        return f"{self.side_pixels}²" + (", input" if self.with_input else "")

    def content(self, image: str) -> dict[str, Any]:
        """Return a task's content, with the image as a link or as base64."""
        body: dict[str, Any] = {
            "prompt": "a cat",
            "steps": 16,
            "width": self.side_pixels,
            "height": self.side_pixels,
        }
        return body | ({"init_images": [image]} if self.with_input else {})

    @property
    def tasktype(self) -> TaskType:
        """Return the type of the case's tasks."""
        return TaskType.IMAGE_TO_IMAGE if self.with_input else TaskType.TEXT_TO_IMAGE


def run_minimal_client(webui_url: str, path: str, body: bytes) -> None:
    """Post a prepared body several times, one after the other, with the standard library."""
    address = urlsplit(webui_url)
    client = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    for _ in range(MINIMAL_CLIENT_JOBS):
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
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/reference.png"
    finally:
        server.shutdown()


def run(aws: Emulator, case: Case, image: bytes) -> tuple[Gaps, Gaps, float]:
    """Return the gaps of the minimal client, those of the consumer, and the consumer's peak MiB."""
    resources = Resources.create(aws)
    body = json_bytes(case.content(base64_text(image)))
    path = f"/sdapi/v1/{'img2img' if case.with_input else 'txt2img'}"
    minimal_client_gaps, consumer_gaps = Gaps(), Gaps()
    with (
        serving(image) as link,
        stub_webui(job_seconds=JOB_SECONDS, side_pixels=case.side_pixels) as url,
        consumer(aws, resources, url, {}, heartbeat=case.heartbeat) as process,
    ):
        process.wait_for_line("consumer started", timeout=60)
        for number in range(1, ROUNDS + 1):
            jobs_before = len(finished_jobs(url))
            run_minimal_client(url, path, body)
            minimal_client_gaps.add(finished_jobs(url)[jobs_before + 1 :])
            resources.submit_tasks(aws, [case.content(link)] * TASKS, case.tasktype, first=jobs_before)
            jobs_expected = jobs_before + MINIMAL_CLIENT_JOBS + TASKS
            wait_for_jobs(url, jobs_expected, process=process, seconds=TASKS * (JOB_SECONDS + 3))
            consumer_gaps.add(finished_jobs(url)[jobs_before + MINIMAL_CLIENT_JOBS + WARM_UP_JOBS :])
            wait_for_outcomes(process, number * TASKS, seconds=30)
        peak = peak_mebibytes(process)
    return minimal_client_gaps, consumer_gaps, peak


def run_conversion(aws: Emulator, side_pixels: int) -> tuple[Gaps, Gaps]:
    """Return the gaps of a consumer that stores images as they came, and of the same one as it converts them.

    The two take turns, so that other work on the machine slows both.
    """
    resources = Resources.create(aws)
    case = Case(side_pixels, with_input=False, heartbeat=True)
    gaps = {None: Gaps(), CONVERSION: Gaps()}
    with (
        stub_webui(job_seconds=JOB_SECONDS, side_pixels=side_pixels) as url,
        consumer(aws, resources, url, {}) as process,
    ):
        process.wait_for_line("consumer started", timeout=60)
        done = 0
        for output in [None, CONVERSION] * ROUNDS:
            resources.submit_tasks(aws, [case.content("")] * TASKS, case.tasktype, first=done, output=output)
            wait_for_jobs(url, done + TASKS, process=process, seconds=TASKS * (JOB_SECONDS + 3))
            wait_for_outcomes(process, done + TASKS, seconds=60)
            gaps[output].add(finished_jobs(url)[done + WARM_UP_JOBS :])
            done += TASKS
    return gaps[None], gaps[CONVERSION]


def finished_jobs(webui_url: str) -> list[Job]:
    """Return the times of each finished job, as the server measured them."""
    return list(get_measurements(webui_url)["details"])


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
    started_at, image = time.monotonic(), noise_png(INPUT_SIDE_PIXELS)
    load = os.getloadavg()[0]
    result = Table(title=f"GPU idle between two jobs of {JOB_SECONDS} s, in ms (30 ms a call to AWS)")
    for title in ("images", "client", "median / mean", *PARTS, "ratio", "peak memory", ""):
        result.add_column(title, justify="left" if title in ("images", "client") else "right")
    with run_emulator() as aws:
        for case in cases:
            minimal_client_gaps, consumer_gaps, peak = run(aws, case, image)
            ratio = consumer_gaps.median / minimal_client_gaps.median
            goal_reached = ratio <= MAX_RATIO and peak <= MAX_MEBIBYTES
            client = "consumer" if case.heartbeat else "consumer, no heartbeat"
            verdict = "ok" if goal_reached else "MISSED"
            result.add_row(case.name, "minimal", *minimal_client_gaps.table_cells(), "1", "", "")
            result.add_row(
                case.name, client, *consumer_gaps.table_cells(), f"{ratio:.2f}", f"{peak:.0f} MiB", verdict
            )
            result.add_section()
        conversions = [
            (side, *run_conversion(aws, side)) for side in dict.fromkeys(case.side_pixels for case in cases)
        ]
    console.print(result)
    for side, plain, converted in conversions:
        console.print(
            f"Images of {side}², stored as they came: {plain.median:.1f} ms between two jobs; "
            f"converted to WebP: {converted.median:.1f} ms; ratio {converted.median / plain.median:.2f}."
        )
    console.print(
        f"Goal: a ratio of at most {MAX_RATIO} and {MAX_MEBIBYTES} MiB. "
        f"Took {time.monotonic() - started_at:.0f} s; "
        f"load of the machine {load:.1f} before, {os.getloadavg()[0]:.1f} after."
    )


if __name__ == "__main__":
    typer.run(main)
