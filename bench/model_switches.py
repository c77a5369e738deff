"""Measure how often checkpoints are switched with and without reordering (`MODEL_WINDOW`).

24 tasks use three checkpoints in turn. A switch takes 3 s, a job 0.3 s. The longest wait is from the start of
the first job to the start of the last.
"""

import time

from rich.console import Console
from rich.table import Table

from bench.environment import Resources, consumer
from bench.stub_webui import CHECKPOINTS, stub_webui, wait_for_jobs
from local.emulator import Emulator, run_emulator
from runtimes.sdwebui.task_type import TaskType

TASKS = 24
JOB_SECONDS = 0.3
SWITCH_SECONDS = 3.0
EXPECTED_SWITCHES = 5


def run(aws: Emulator, *, window: int, checkpoints: list[str]) -> tuple[int, float, float, float]:
    """Run the tasks on a consumer; return switches, total seconds, longest wait and busy share."""
    resources = Resources.create(aws)
    contents = [
        {
            "prompt": f"task {number}",
            "steps": 16,
            "width": 512,
            "height": 512,
            "alwayson_scripts": {"sd_model_checkpoint": checkpoints[number % len(checkpoints)]},
        }
        for number in range(TASKS)
    ]
    resources.submit_tasks(aws, contents, TaskType.TEXT_TO_IMAGE)
    extra_environment = {"DYNAMIC_MODEL": "true", "MODEL_WINDOW": str(window)}
    with (
        stub_webui(job_seconds=JOB_SECONDS, side_pixels=512, load_seconds=SWITCH_SECONDS) as url,
        consumer(aws, resources, url, extra_environment) as process,
    ):
        measured = wait_for_jobs(
            url, TASKS, process=process, seconds=TASKS * (JOB_SECONDS + SWITCH_SECONDS + 1)
        )
    jobs = measured["jobs"]
    first_start, last_end = jobs[0][0], jobs[-1][1]
    total_seconds = last_end - first_start
    busy_share = sum(end - start for start, end in jobs) / total_seconds
    return measured["switches"], total_seconds, jobs[-1][0] - first_start, busy_share


def main() -> None:
    """Print a table of both; with tasks of one checkpoint too, for which reordering must change nothing."""
    console = Console(width=120)
    started = time.monotonic()
    table = Table(
        title=f"{TASKS} tasks, {SWITCH_SECONDS:g} s per switch, {JOB_SECONDS:g} s per job, 30 ms per AWS call"
    )
    for title in (
        "checkpoints",
        "reordering",
        "switches",
        "expected",
        "total time",
        "longest wait",
        "busy",
        "speedup",
    ):
        table.add_column(title, justify="right")
    with run_emulator() as aws:
        for checkpoints in (CHECKPOINTS, CHECKPOINTS[:1]):
            off = run(aws, window=1, checkpoints=checkpoints)
            on = run(aws, window=10, checkpoints=checkpoints)
            expected = f"≤ {EXPECTED_SWITCHES}" if len(checkpoints) > 1 else "0"
            for name, result, limit, ratio in (
                ("off", off, "", ""),
                ("on", on, expected, f"{off[1] / on[1]:.2f}"),
            ):
                switches, makespan, wait, busy = result
                table.add_row(
                    f"{len(checkpoints)} in turn",
                    name,
                    str(switches),
                    limit,
                    f"{makespan:.1f} s",
                    f"{wait:.1f} s",
                    f"{busy:.2f}",
                    ratio,
                )
    console.print(table)
    console.print(f"measured in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
