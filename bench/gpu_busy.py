"""How busy the GPU is: the same tasks with `PREFETCH=0` and the default.

The share is the time in which Web UI ran a job, of the time from the first job's start to the last one's end.
A bare client that only posts ready bodies, one after the other, is the limit without a second job in Web
UI's own queue, from where it could not be withdrawn.
"""

import time
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from bench.fixed_webui import fixed_webui, measured, picture, wait_for_jobs
from bench.stage import (
    Resources,
    as_json,
    consumer,
    peak_mebibytes,
    wait_until_told,
)
from local.emulator import Emulator, emulator
from runtimes.sdwebui.task_type import TaskType

CASES = [(1.5, 512, 12, 0.99), (0.5, 512, 24, 0.97), (0.5, 1024, 24, 0.94)]
"""Job seconds, side in pixels, tasks, and the share that is expected of the default."""

WARM_UP = 3
"""Jobs at the beginning from which the worker learns how long a job and its preparation take."""


def share(jobs: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the busy share and the milliseconds lost a task, after the warm-up."""
    jobs = jobs[WARM_UP:]
    span = jobs[-1][1] - jobs[0][0]
    busy = sum(end - begin for begin, end in jobs)
    return busy / span, (span - busy) / (len(jobs) - 1) * 1000


def bare(webui_url: str, body: dict[str, Any], count: int) -> tuple[float, float]:
    """Post ready bodies one after the other."""
    ready = as_json(body)
    with httpx.Client(base_url=webui_url, timeout=60, trust_env=False) as client:
        for _ in range(count):
            client.post("/sdapi/v1/img2img", content=ready).raise_for_status()
    return share(measured(webui_url)["jobs"])


def run(aws: Emulator, *, job: float, side: int, count: int, prefetch: int) -> tuple[float, float, float]:
    """Return share, milliseconds lost a task and peak MiB of one way of working."""
    resources = Resources.make(aws)
    aws.client("s3").put_object(Bucket=resources.bucket, Key="inputs/reference.png", Body=picture(256))
    link = f"s3://{resources.bucket}/inputs/reference.png"
    content = {"prompt": "a cat", "steps": 16, "width": side, "height": side, "init_images": [link]}
    resources.send(aws, [content] * count, TaskType.IMAGE_TO_IMAGE)
    with (
        fixed_webui(job=job, side=side) as url,
        consumer(aws, resources, url, {"PREFETCH": str(prefetch)}) as process,
    ):
        found = wait_for_jobs(url, count, process=process, seconds=count * (job + 3))
        wait_until_told(process, count, seconds=30)
        peak = peak_mebibytes(process)
    return *share(found["jobs"]), peak


def main(
    only: Annotated[
        list[str] | None, typer.Argument(help="Cases as JOB_SECONDS/SIDE, such as 0.5/512; all if none.")
    ] = None,
) -> None:
    """Print a table of the cases."""
    cases = [case for case in CASES if not only or f"{case[0]}/{case[1]}" in only]
    console = Console(width=120)
    begun = time.monotonic()
    result = Table(title="GPU busy share (30 ms a call to AWS)")
    for title in (
        "job",
        "image",
        "way",
        "busy",
        "expected",
        "lost a task",
        "peak memory",
        "busy / plain row",
    ):
        result.add_column(title, justify="right" if title != "way" else "left")
    with emulator() as aws:
        for job, side, count, expected in cases:
            what = (f"{job} s", f"{side}²")
            with fixed_webui(job=job, side=side) as url:
                body = {"prompt": "a cat", "steps": 16, "width": side, "height": side}
                limit, limit_lost = bare(url, body, count)
            plain, *rest = run(aws, job=job, side=side, count=count, prefetch=0)
            result.add_row(
                *what, "PREFETCH=0", f"{plain:.3f}", "", f"{rest[0]:.0f} ms", f"{rest[1]:.0f} MiB", "1"
            )
            ahead, *rest = run(aws, job=job, side=side, count=count, prefetch=2)
            result.add_row(
                *what,
                "default",
                f"{ahead:.3f}",
                f"≥ {expected}",
                f"{rest[0]:.0f} ms",
                f"{rest[1]:.0f} MiB",
                f"{ahead / plain:.2f}",
            )
            ratio = f"{limit / plain:.2f}"
            result.add_row(
                *what, "bare client (limit)", f"{limit:.3f}", "", f"{limit_lost:.0f} ms", "", ratio
            )
            result.add_section()
    console.print(result)
    console.print(f"took {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    typer.run(main)
