"""Measure how long ComfyUI waits between two jobs of the consumer, compared with a minimal client.

The minimal client sends prepared prompts, each as soon as its websocket has reported the end of the last one
and the history has said how it ended: no client can be faster that sends one job at a time and looks.
"""

import json
import statistics
import tempfile
import uuid
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from local.emulator import run_emulator
from tests.support.comfyui import Client, listening, text_to_image
from tests.support.comfyui_setup import ComfyUiSetup

JOB_SECONDS: Final = (1.5, 0.5)
JOBS: Final = 12
WARM_UP_JOBS: Final = 4
"""The consumer's first jobs do not count, because its queue was empty before them."""

MAX_RATIO: Final = 1.5


def gaps(setup: ComfyUiSetup, first: int) -> list[float]:
    """Return the milliseconds between the jobs that ended from the given one on."""
    jobs = [job for job in setup.fake.control.jobs() if job["ended"] is not None][first:]
    return [(after["began"] - before["ended"]) * 1000 for before, after in pairwise(jobs)]


def run_minimal_client(url: str) -> None:
    """Send prepared prompts one after the other."""
    client, name = Client(url), uuid.uuid4().hex
    bodies = [
        json.dumps({"prompt": text_to_image(seed=seed), "client_id": name}).encode() for seed in range(JOBS)
    ]
    with listening(url, name) as socket:
        for body in bodies:
            job = client.http.post("/prompt", content=body).json()["prompt_id"]
            socket.wait_for("executing", node=None, prompt_id=job)
            client.wait(job)


def run(job_seconds: float) -> tuple[list[float], list[float]]:
    """Return the gaps of the minimal client and those of the consumer."""
    with ExitStack() as stack:
        aws = stack.enter_context(run_emulator())
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        setup = ComfyUiSetup(aws, root, stack, job_seconds=job_seconds)
        run_minimal_client(setup.fake.url)
        minimal = gaps(setup, 1)
        before = len(setup.fake.control.jobs())
        for number in range(JOBS + WARM_UP_JOBS):
            setup.submit(f"t{number}", text_to_image(seed=1000 + number))
        setup.start_consumer()
        for number in range(JOBS + WARM_UP_JOBS):
            setup.until(f"t{number}")
        return minimal, gaps(setup, before + WARM_UP_JOBS)


def main() -> None:
    """Print a table of the lengths of jobs."""
    table = Table(title="ComfyUI idle between two jobs, in ms")
    for title in ("job", "minimal: median", "consumer: median", "mean", "most", "ratio", "lost of a job", ""):
        table.add_column(title, justify="right")
    for seconds in JOB_SECONDS:
        minimal, consumer = run(seconds)
        median = statistics.median(consumer)
        ratio = median / statistics.median(minimal)
        table.add_row(
            f"{seconds} s",
            f"{statistics.median(minimal):.1f}",
            f"{median:.1f}",
            f"{statistics.mean(consumer):.1f}",
            f"{max(consumer):.1f}",
            f"{ratio:.2f}",
            f"{median / 10 / seconds:.2f} %",
            "ok" if ratio <= MAX_RATIO else "MISSED",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
