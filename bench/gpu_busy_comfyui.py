"""Measure how long ComfyUI waits between two jobs of the consumer, compared with a bare client.

The bare client is a process of its own (`bench.bare_comfyui_client`) that only sends prepared prompts and
looks how they ended. It learns of their end by the websocket or by polling; the faster of both is compared.
All take turns at the same fake ComfyUI, so that other work on the machine slows all of them.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table

from bench.bare_comfyui_client import POLLING, WEBSOCKET
from bench.environment import ROOT, Resources, consumer, json_bytes, peak_mebibytes, wait_for_outcomes
from bench.gpu_busy import serving
from bench.stub_webui import noise_png
from local.emulator import Emulator, run_emulator
from local.fakes.comfyui.process import FakeComfyUi, running
from local.process import Process
from tests.support.comfyui import Client, image_to_image, text_to_image

ROUNDS: Final = 4
BARE_JOBS: Final = 6
TASKS: Final = 8
WARM_UP_JOBS: Final = 3
"""The consumer's first jobs of a turn do not count, because its queue was empty before them."""

SIDE_PIXELS: Final = 512
INPUT_SIDE_PIXELS: Final = 1024
INPUT: Final = "reference.png"
MAX_RATIO: Final = 1.5
CONSUMER: Final = "consumer"


@dataclass(frozen=True)
class Case:
    """One case that is measured."""

    job_seconds: float
    with_input: bool

    @property
    def name(self) -> str:
        """Return the case's name in the table."""
        return f"{self.job_seconds} s" + (", input" if self.with_input else "")

    def prompt(self, seed: int) -> dict[str, Any]:
        """Return a workflow."""
        if self.with_input:
            return image_to_image(INPUT, seed=seed)
        return text_to_image(seed=seed, size=SIDE_PIXELS)


CASES: Final = (
    Case(job_seconds=1.5, with_input=False),
    Case(job_seconds=0.5, with_input=False),
    Case(job_seconds=0.5, with_input=True),
)


@dataclass
class Measured:
    """The milliseconds between the jobs of each client, and the consumer's peak memory in MiB."""

    gaps: dict[str, list[float]] = field(default_factory=lambda: {WEBSOCKET: [], POLLING: [], CONSUMER: []})
    peak: float = 0.0

    @property
    def best(self) -> str:
        """Return the faster bare client."""
        return min((WEBSOCKET, POLLING), key=self.median)

    def median(self, client: str) -> float:
        """Return a client's median gap."""
        return statistics.median(self.gaps[client])

    def mean(self, client: str) -> float:
        """Return a client's mean gap."""
        return statistics.mean(self.gaps[client])


class Turn:
    """The jobs that a fake ran between two moments."""

    def __init__(self, fake: FakeComfyUi) -> None:
        self._fake = fake
        self._first = len(fake.control.jobs())

    def gaps(self, skipped: int) -> list[float]:
        """Return the milliseconds between its jobs, without the first ones."""
        jobs = [job for job in self._fake.control.jobs()[self._first :] if job["ended"] is not None]
        return [(after["began"] - before["ended"]) * 1000 for before, after in pairwise(jobs[skipped:])]


def run_bare_client(fake: FakeComfyUi, how: str, prompts: list[dict[str, Any]], folder: Path) -> list[float]:
    """Return the milliseconds between the jobs of a bare client in a process of its own."""
    turn, file = Turn(fake), folder / "prompts.json"
    file.write_bytes(json_bytes(prompts))
    command = [sys.executable, "-m", "bench.bare_comfyui_client", fake.url, how, str(file)]
    with Process(f"bare client, {how}", command, environment=dict(os.environ), cwd=ROOT) as process:
        if process.wait(len(prompts) * 30):
            raise RuntimeError(process.tail())
    return turn.gaps(1)


def run(aws: Emulator, case: Case, image: bytes) -> Measured:
    """Let the bare clients and the consumer take turns at one fake."""
    resources, measured, seeds = Resources.create(aws), Measured(), count(1)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(image) as link,
        running(job_seconds=case.job_seconds, load_seconds=0.02, metadata=False) as fake,
        consumer(aws, resources, fake.url, _environment(fake)) as process,
    ):
        process.wait_for_line("consumer started", timeout=60)
        Client(fake.url).upload(INPUT, image)
        for number in range(1, ROUNDS + 1):
            for how in (WEBSOCKET, POLLING):
                prompts = [case.prompt(next(seeds)) for _ in range(BARE_JOBS)]
                measured.gaps[how] += run_bare_client(fake, how, prompts, Path(folder))
            turn = Turn(fake)
            files = {INPUT: link} if case.with_input else {}
            contents = [{"prompt": case.prompt(next(seeds)), "files": files} for _ in range(TASKS)]
            resources.submit_tasks(aws, contents, "pipeline", first=number * TASKS)
            wait_for_outcomes(process, number * TASKS, seconds=TASKS * (case.job_seconds + 10))
            measured.gaps[CONSUMER] += turn.gaps(WARM_UP_JOBS)
        measured.peak = peak_mebibytes(process)
    return measured


def _environment(fake: FakeComfyUi) -> dict[str, str]:
    return {
        "RUNTIME_TYPE": "comfyui",
        "DYNAMIC_MODEL": "true",
        "RUNTIME_OPTIONS": json.dumps(dict(fake.options)),
    }


def main() -> None:
    """Print a table of the cases."""
    console = Console(width=140)
    started_at, load, image = time.monotonic(), os.getloadavg()[0], noise_png(INPUT_SIDE_PIXELS)
    table = Table(title="ComfyUI idle between two jobs, in ms: median / mean (30 ms a call to AWS)")
    for title in ("job", WEBSOCKET, POLLING, CONSUMER, "ratio", "lost of a job", "peak memory", ""):
        table.add_column(title, justify="right")
    with run_emulator() as aws:
        for case in CASES:
            measured = run(aws, case, image)
            median = measured.median(CONSUMER)
            ratio = median / measured.median(measured.best)
            table.add_row(
                case.name,
                *(f"{measured.median(name):.1f} / {measured.mean(name):.1f}" for name in measured.gaps),
                f"{ratio:.2f}",
                f"{median / 10 / case.job_seconds:.2f} %",
                f"{measured.peak:.0f} MiB",
                "ok" if ratio <= MAX_RATIO else "MISSED",
            )
    console.print(table)
    console.print(
        f"Goal: the consumer's median is at most {MAX_RATIO} times that of the faster bare client. "
        f"Took {time.monotonic() - started_at:.0f} s; "
        f"load of the machine {load:.1f} before, {os.getloadavg()[0]:.1f} after."
    )


if __name__ == "__main__":
    typer.run(main)
