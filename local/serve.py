"""Keep the pipeline running on this machine until Ctrl-C: `make local`."""

import os
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
from local.announcement import announce
from local.board import MetricsBoard, read_metrics
from local.callbacks import Callback
from local.demo import EXAMPLES, PICTURE
from local.deploy import CONFIG, DeployFailed
from local.fakes.registry import FAKES
from local.function_logs import FunctionLogs
from local.instructions import instructions
from local.pictures import serve_folder
from local.pipeline import run_pipeline
from local.process import ProcessFailed
from local.receiver import Request, run_receiver
from local.signals import exit_on_signal

CHECK_SECONDS = 1.0  # how often processes are checked and metrics of the functions are read
METRICS_SECONDS = 5.0  # how often consumers report metrics; in AWS it is a minute


def run(
    console: Console,
    *,
    config: Path,
    engine_urls: Mapping[str, str],
    runtimes: Iterable[str] | None,
    assembly: Path | None,
) -> None:
    """Start everything, print how to use it, and follow the consumers until interrupted."""

    def step(text: str) -> None:
        console.print(f"local | {text}", markup=False, highlight=False, soft_wrap=True)

    board = MetricsBoard()

    def print_line(source: str, line: str) -> None:
        metrics_text = board.add(line)
        if metrics_text is not None and console.is_terminal:
            return  # the table at the bottom shows them
        console.print(f"{source} | {metrics_text or line}", markup=False, highlight=False, soft_wrap=True)

    def on_callback(callback: Callback) -> None:
        body = callback.body
        details = body["error"]["message"] if body["error"] else " ".join(body["image_url"])
        step(f"callback of {body['id']}: {body['status']} {details}")

    def on_webhook(request: Request) -> None:
        event = request.json
        step(f"webhook of {event['data']['id']}: {event['type']}")

    with (
        serve_folder(EXAMPLES) as address,
        run_receiver(on_request=on_webhook) as receiver,
        run_pipeline(
            config=config,
            assembly=assembly,
            runtimes=runtimes,
            environment={"METRICS_SECONDS": f"{METRICS_SECONDS:g}"},
            engine_urls=engine_urls,
            on_line=print_line,
            on_step=step,
            on_callback=on_callback,
        ) as pipeline,
        announce(pipeline),
    ):
        lines = instructions(pipeline, f"{address}/{PICTURE}", receiver.url)
        console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
        function_logs = FunctionLogs(pipeline.aws)
        never_set = threading.Event()
        with Live(console=console, get_renderable=board.table) if console.is_terminal else nullcontext():
            while not never_set.wait(CHECK_SECONDS):
                pipeline.check_processes()
                # Only the metrics: the functions also log other lines, at each of their runs.
                for line in filter(read_metrics, function_logs.new_lines()):
                    print_line("functions", line)


def main(
    config: Annotated[
        Path, typer.Option(envvar="CDK_CONFIG_PATH", help="The runtimes to run: a config.yaml.")
    ] = CONFIG,
    assembly: Annotated[
        Path | None, typer.Option(help="Folder of a synthesized app. Default: synthesize it.")
    ] = None,
    engine_url: Annotated[
        str | None,
        typer.Option(
            envvar="ENGINE_URL", help="A real engine of the default type; for ComfyUI: COMFYUI_URL."
        ),
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
            config=config,
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
    urls = {type_name: environment.get(f"{type_name.upper()}_URL") for type_name in FAKES}
    return {type_name: url for type_name, url in urls.items() if url}


if __name__ == "__main__":
    typer.run(main)
