"""Measure the GPU's busy share for the same tasks with `PREFETCH=0` and with the default.

The share is the time in which SD Web UI ran a job, divided by the time from the start of the first job to the
end of the last. The upper limit is a bare client that only sends prepared bodies one after the other; only a
second job in SD Web UI's own queue would be faster, and it could not be taken back from there.
"""

import time
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from bench.environment import (
    Resources,
    as_json,
    consumer,
    peak_mebibytes,
    wait_for_outcomes,
)
from bench.stub_webui import measurements, picture, stub_webui, wait_for_jobs
from local.emulator import Emulator, emulator
from runtimes.sdwebui.task_type import TaskType

CASES = [(1.5, 512, 12, 0.99), (0.5, 512, 24, 0.97), (0.5, 1024, 24, 0.94)]
"""Seconds of a job, side in pixels, number of tasks, and the share that the default is expected to reach."""

WARM_UP = 3
"""The first jobs, from which the worker learns how long a job and its preparation take."""


def share(jobs: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the busy share and the milliseconds lost per task, after the warm-up."""
    jobs = jobs[WARM_UP:]
    span = jobs[-1][1] - jobs[0][0]
    busy = sum(end - begin for begin, end in jobs)
    return busy / span, (span - busy) / (len(jobs) - 1) * 1000


def bare(webui_url: str, body: dict[str, Any], count: int) -> tuple[float, float]:
    """Send prepared bodies one after the other, without a consumer."""
    prepared = as_json(body)
    with httpx.Client(base_url=webui_url, timeout=60, trust_env=False) as client:
        for _ in range(count):
            client.post("/sdapi/v1/img2img", content=prepared).raise_for_status()
    return share(measurements(webui_url)["jobs"])


def run(aws: Emulator, *, job: float, side: int, count: int, prefetch: int) -> tuple[float, float, float]:
    """Run the tasks on a consumer; return busy share, milliseconds lost per task and peak MiB."""
    resources = Resources.create(aws)
    aws.client("s3").put_object(Bucket=resources.bucket, Key="inputs/reference.png", Body=picture(256))
    link = f"s3://{resources.bucket}/inputs/reference.png"
    content = {"prompt": "a cat", "steps": 16, "width": side, "height": side, "init_images": [link]}
    resources.send(aws, [content] * count, TaskType.IMAGE_TO_IMAGE)
    with (
        stub_webui(job_seconds=job, side_pixels=side) as url,
        consumer(aws, resources, url, {"PREFETCH": str(prefetch)}) as process,
    ):
        found = wait_for_jobs(url, count, process=process, seconds=count * (job + 3))
        wait_for_outcomes(process, count, seconds=30)
        peak = peak_mebibytes(process)
    return *share(found["jobs"]), peak


def main(
    only: Annotated[
        list[str] | None, typer.Argument(help="Cases as JOB_SECONDS/SIDE, for example 0.5/512. Default: all.")
    ] = None,
) -> None:
    """Measure the cases and print a table."""
    cases = [case for case in CASES if not only or f"{case[0]}/{case[1]}" in only]
    console = Console(width=120)
    begun = time.monotonic()
    result = Table(title="GPU busy share (with 30 ms per call to AWS)")
    for title in (
        "job",
        "image",
        "run with",
        "busy",
        "expected",
        "lost per task",
        "peak memory",
        "relative to PREFETCH=0",
    ):
        result.add_column(title, justify="right" if title != "run with" else "left")
    with emulator() as aws:
        for job, side, count, expected in cases:
            case = (f"{job} s", f"{side}²")
            with stub_webui(job_seconds=job, side_pixels=side) as url:
                body = {"prompt": "a cat", "steps": 16, "width": side, "height": side}
                limit, limit_lost = bare(url, body, count)
            plain, *rest = run(aws, job=job, side=side, count=count, prefetch=0)
            result.add_row(
                *case, "PREFETCH=0", f"{plain:.3f}", "", f"{rest[0]:.0f} ms", f"{rest[1]:.0f} MiB", "1"
            )
            ahead, *rest = run(aws, job=job, side=side, count=count, prefetch=2)
            result.add_row(
                *case,
                "default",
                f"{ahead:.3f}",
                f"≥ {expected}",
                f"{rest[0]:.0f} ms",
                f"{rest[1]:.0f} MiB",
                f"{ahead / plain:.2f}",
            )
            ratio = f"{limit / plain:.2f}"
            result.add_row(
                *case, "bare client (limit)", f"{limit:.3f}", "", f"{limit_lost:.0f} ms", "", ratio
            )
            result.add_section()
    console.print(result)
    console.print(f"measured in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    typer.run(main)
