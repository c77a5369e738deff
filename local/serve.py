"""Keep the pipeline running on this machine until Ctrl-C: `make local`."""

import json
import os
import shlex
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from domain.routing import DEFAULT_TYPE
from local.board import Board, read_metrics
from local.callbacks import Callback
from local.demo import EXAMPLES, PICTURE
from local.deploy import CONFIG, DeployFailed
from local.fakes.registry import FAKES
from local.function_logs import FunctionLogs
from local.pictures import served
from local.pipeline import Pipeline, pipeline
from local.process import ProcessFailed
from local.receiver import Request, receiving
from local.signals import exit_on_signal

CHECK_SECONDS = 1.0  # how often processes are checked and metrics of the functions are read
METRICS_SECONDS = 5.0  # how often consumers report metrics; in AWS it is a minute


def run(
    console: Console,
    *,
    engine_urls: Mapping[str, str],
    runtimes: Iterable[str] | None,
    assembly: Path | None,
) -> None:
    """Start everything, print how to use it, and follow the consumers until interrupted."""

    def step(text: str) -> None:
        console.print(f"local | {text}", markup=False, highlight=False, soft_wrap=True)

    board = Board()

    def follow(runtime: str, line: str) -> None:
        metrics = board.add(line)
        if metrics is not None and console.is_terminal:
            return  # the table at the bottom shows them
        console.print(f"{runtime} | {metrics or line}", markup=False, highlight=False, soft_wrap=True)

    def on_callback(callback: Callback) -> None:
        body = callback.body
        details = body["error"]["message"] if body["error"] else " ".join(body["image_url"])
        step(f"callback of {body['id']}: {body['status']} {details}")

    def on_webhook(request: Request) -> None:
        event = request.json
        step(f"webhook of {event['data']['id']}: {event['type']}")

    with (
        served(EXAMPLES) as address,
        receiving(on_request=on_webhook) as receiver,
        pipeline(
            config=CONFIG,
            assembly=assembly,
            runtimes=runtimes,
            environment={"METRICS_SECONDS": f"{METRICS_SECONDS:g}"},
            engine_urls=engine_urls,
            on_line=follow,
            on_step=step,
            on_callback=on_callback,
        ) as running,
    ):
        _print_instructions(console, running, f"{address}/{PICTURE}", receiver.url)
        functions = FunctionLogs(running.aws)
        never = threading.Event()
        with Live(console=console, get_renderable=board.table) if console.is_terminal else nullcontext():
            while not never.wait(CHECK_SECONDS):
                running.check()
                # Other lines stay in CloudWatch Logs, because every check would print one here.
                for line in filter(read_metrics, functions.new_lines()):
                    follow("functions", line)


def main(
    assembly: Annotated[
        Path | None, typer.Option(help="Folder of a synthesized app. Default: synthesize it.")
    ] = None,
    engine_url: Annotated[
        str | None,
        typer.Option(envvar="ENGINE_URL", help="A real engine for runtimes of the default type."),
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(envvar="RUNTIME", help="Run the worker of this runtime only.")
    ] = None,
) -> None:
    """Keep the pipeline running until Ctrl-C; exit with 1 if a part of it ends by itself."""
    exit_on_signal()
    console = Console()
    try:
        run(
            console,
            engine_urls=real_engines(os.environ) | ({DEFAULT_TYPE: engine_url} if engine_url else {}),
            runtimes=[runtime] if runtime else None,
            assembly=assembly,
        )
    except KeyboardInterrupt:
        console.print("stopped")
    except (DeployFailed, ProcessFailed) as error:
        sys.stderr.write(f"local: {error}\n")
        raise typer.Exit(1) from None


def real_engines(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the URLs of real engines by runtime type; for a type X they are in the variable X_URL."""
    found = {one: environment.get(f"{one.upper()}_URL") for one in FAKES}
    return {one: url for one, url in found.items() if url}


def _print_instructions(console: Console, running: Pipeline, picture: str, webhook: str) -> None:
    deployment = running.deployment
    body = json.loads((EXAMPLES / "v1alpha2-text-to-image.json").read_text(encoding="utf-8"))
    body["task"]["metadata"]["runtime"] = running.workers[0].runtime.name
    body["task"]["metadata"]["webhook"] = webhook
    key = f"x-api-key: {deployment.api_key}"
    submit = [
        *("curl", "-sS", f"{deployment.api_url}/v1alpha2", "-H", key),
        *("-H", "content-type: application/json", "-d", json.dumps(body)),
    ]
    look = ["curl", "-sS", f"{deployment.api_url}/v1alpha2/tasks/{body['task']['metadata']['id']}", "-H", key]
    lines = [
        "",
        f"API       {deployment.api_url}",
        f"API key   {deployment.api_key}",
        f"AWS       {running.aws.endpoint_url} (AWS_ENDPOINT_URL, with any credentials)",
        f"images    s3://{running.output_bucket}/output/",
        f"webhooks  {webhook} (prints what it receives)",
        f"input     {picture} (an example image for requests)",
        *(f"engine    {each.engine_url} ({each.runtime.name})" for each in running.workers),
        "",
        "Submit a task:",
        shlex.join(submit),
        "",
        "Get its status and links to its images:",
        shlex.join(look),
        "",
        "Press Ctrl-C to stop everything. Callbacks and the consumers' logs follow:",
    ]
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
