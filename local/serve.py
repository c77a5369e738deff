"""Keep the pipeline running on this machine until Ctrl-C: `make local`."""

import json
import shlex
import sys
import threading
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from local.board import Board, measured
from local.callbacks import Callback
from local.demo import EXAMPLES, PICTURE
from local.deploy import CONFIG, DeployFailed
from local.function_logs import FunctionLogs
from local.pictures import served
from local.pipeline import Pipeline, pipeline
from local.process import ProcessFailed
from local.signals import exit_when_told

LOOK_SECONDS = 1.0  # how soon the end of a process is noticed and metrics of the functions are shown
PULSE_SECONDS = 5.0  # short, because a person is waiting; in AWS it is a minute


def run(
    console: Console, *, engine_url: str | None, runtimes: Iterable[str] | None, assembly: Path | None
) -> None:
    """Start everything, print how to use it, and follow the consumers until interrupted."""

    def step(text: str) -> None:
        console.print(f"local | {text}", markup=False, highlight=False, soft_wrap=True)

    board = Board()

    def follow(runtime: str, line: str) -> None:
        said = board.take(line)
        if said is not None and console.is_terminal:
            return  # the table below shows it
        console.print(f"{runtime} | {said or line}", markup=False, highlight=False, soft_wrap=True)

    def on_callback(callback: Callback) -> None:
        body = callback.body
        what = body["error"]["message"] if body["error"] else " ".join(body["image_url"])
        step(f"callback {body['id']} {body['status']} {what}")

    with (
        served(EXAMPLES) as address,
        pipeline(
            config=CONFIG,
            assembly=assembly,
            runtimes=runtimes,
            environment={"METRICS_SECONDS": f"{PULSE_SECONDS:g}"},
            engine_url=engine_url,
            on_line=follow,
            on_step=step,
            on_callback=on_callback,
        ) as running,
    ):
        _say_how(console, running, f"{address}/{PICTURE}")
        functions = FunctionLogs(running.aws)
        ever = threading.Event()
        with Live(console=console, get_renderable=board.table) if console.is_terminal else nullcontext():
            while not ever.wait(LOOK_SECONDS):
                running.check()
                # Other lines stay in CloudWatch Logs, because every check would print one here.
                for line in filter(measured, functions.new_lines()):
                    follow("functions", line)


def main(
    assembly: Annotated[Path | None, typer.Option(help="A synthesized app; saves the synthesis.")] = None,
    engine_url: Annotated[
        str | None,
        typer.Option(envvar="ENGINE_URL", help="A real SD Web UI to use instead of the fake one."),
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(envvar="RUNTIME", help="Run the worker of this runtime only.")
    ] = None,
) -> None:
    """Keep the pipeline running until Ctrl-C; exit with 1 if a part of it ends by itself."""
    exit_when_told()
    console = Console()
    # A real engine has one GPU, so only one consumer may use it; the fake one runs for every runtime.
    chosen = runtime or ("sdruntime" if engine_url else None)
    try:
        run(
            console,
            engine_url=engine_url or None,
            runtimes=[chosen] if chosen else None,
            assembly=assembly,
        )
    except KeyboardInterrupt:
        console.print("stopped")
    except (DeployFailed, ProcessFailed) as error:
        sys.stderr.write(f"local: {error}\n")
        raise typer.Exit(1) from None


def _say_how(console: Console, running: Pipeline, picture: str) -> None:
    deployment = running.deployment
    body = json.loads((EXAMPLES / "v1alpha2-text-to-image.json").read_text(encoding="utf-8"))
    body["task"]["metadata"]["runtime"] = running.workers[0].runtime.name
    key = f"x-api-key: {deployment.api_key}"
    submit = [
        *("curl", "-sS", f"{deployment.api_url}/v1alpha2", "-H", key),
        *("-H", "content-type: application/json", "-d", json.dumps(body)),
    ]
    look = ["curl", "-sS", f"{deployment.api_url}/v1alpha2/tasks/{body['task']['metadata']['id']}", "-H", key]
    lines = [
        "",
        f"API       {deployment.api_url}",
        f"KEY       {deployment.api_key}",
        f"AWS       {running.aws.endpoint_url} (AWS_ENDPOINT_URL, with any credentials)",
        f"images    s3://{running.output_bucket}/output/",
        f"a picture {picture}",
        *(f"engine    {each.engine_url} ({each.runtime.name})" for each in running.workers),
        "",
        "Submit a task:",
        shlex.join(submit),
        "",
        "See how it is, and get links to its images:",
        shlex.join(look),
        "",
        "Ctrl-C stops everything. Log lines of the consumers and callbacks follow:",
    ]
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
