"""How often checkpoints are switched: 24 tasks over three in turn, with the window off and on, in one run.

A switch takes 3 s, a job 0.3 s. The longest wait is from the first job's start to a task's own job.
"""

import time

from rich.console import Console
from rich.table import Table

from bench.fixed_webui import CHECKPOINTS, fixed_webui, wait_for_jobs
from bench.stage import Resources, consumer
from local.emulator import Emulator, emulator
from runtimes.sdwebui.task_type import TaskType

TASKS = 24
JOB_SECONDS = 0.3
SWITCH_SECONDS = 3.0
EXPECTED_SWITCHES = 5


def run(aws: Emulator, *, window: int, checkpoints: list[str]) -> tuple[int, float, float, float]:
    """Return switches, makespan, longest wait and busy share of one way of working."""
    resources = Resources.make(aws)
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
    resources.send(aws, contents, TaskType.TEXT_TO_IMAGE)
    settings = {"DYNAMIC_MODEL": "true", "MODEL_WINDOW": str(window)}
    with (
        fixed_webui(job=JOB_SECONDS, side=512, load=SWITCH_SECONDS) as url,
        consumer(aws, resources, url, settings) as process,
    ):
        found = wait_for_jobs(url, TASKS, process=process, seconds=TASKS * (JOB_SECONDS + SWITCH_SECONDS + 1))
    jobs = found["jobs"]
    begun, ended = jobs[0][0], jobs[-1][1]
    busy = sum(end - begin for begin, end in jobs) / (ended - begun)
    return found["switches"], ended - begun, jobs[-1][0] - begun, busy


def main() -> None:
    """Print a table of both orders, and of the case in which there is nothing to gain."""
    console = Console(width=120)
    started = time.monotonic()
    table = Table(
        title=f"{TASKS} tasks, {SWITCH_SECONDS:g} s a switch, {JOB_SECONDS:g} s a job, 30 ms a call to AWS"
    )
    for title in (
        "checkpoints",
        "window",
        "switches",
        "expected",
        "makespan",
        "longest wait",
        "busy",
        "off / on",
    ):
        table.add_column(title, justify="right")
    with emulator() as aws:
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
    console.print(f"took {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
