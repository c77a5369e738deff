"""Run three image-to-image requests through the whole pipeline on this machine: `make demo`."""

import copy
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from local.deploy import CONFIG, ROOT, DeployFailed
from local.pictures import serve_folder
from local.pipeline import Pipeline, run_pipeline
from local.process import ProcessFailed
from local.receiver import run_receiver, signing_secret, verify_webhook
from local.signals import exit_on_signal
from local.timeline import Timeline, build_timeline, timeline_table

EXAMPLES = ROOT / "examples"
OUTPUT_FOLDER = ROOT / "out"
PICTURE = "cat.png"
# The runtimes of local/config.yaml that get a worker.
RUNTIMES = ("comfyruntime", "sdruntime")
PREAMBLE = (
    "This sends three image-to-image requests through the whole pipeline on this machine: a ComfyUI "
    "workflow, and one for SD Web UI in each API version. ministack emulates API Gateway, Lambda, DynamoDB, "
    "SNS, SQS and S3; the stack and the code are the same as those of `cdk deploy`. Instead of a GPU, a fake "
    "ComfyUI and a fake SD Web UI draw a picture of each request. "
    f"The requests link to examples/{PICTURE}.\n"
)


class DemoFailed(RuntimeError):
    """A request of the demo did not produce an image."""


@dataclass(frozen=True, kw_only=True)
class DemoRequest:
    """A request that the demo submits; `remark` is shown with it."""

    task_id: str
    api_version: str
    body: dict[str, Any]
    remark: str


def demo_requests(http_link: str, s3_link: str, webhook: str) -> list[DemoRequest]:
    """Return the image-to-image examples, with links to the project's own picture.

    The last one sends its outcome to a webhook.
    """
    workflow = copy.deepcopy(_read_example("v1alpha2-comfyui-image-to-image"))
    workflow["task"]["content"]["files"] = {PICTURE: http_link}
    v1alpha2 = copy.deepcopy(_read_example("v1alpha2-image-to-image"))
    v1alpha2["task"]["content"]["init_images"] = [http_link]
    v1alpha1 = copy.deepcopy(_read_example("v1alpha1-image-to-image"))
    # Both examples have the same id, and an id is also the folder of the images: the second one gets its own.
    v1alpha1["alwayson_scripts"] |= {
        "image_link": s3_link,
        "id_task": "test-i2i-v1alpha1",
        "webhook": webhook,
    }
    return [
        DemoRequest(
            task_id="test-comfyui-i2i",
            api_version="v1alpha2",
            body=workflow,
            remark=f"a ComfyUI workflow, links to its image by HTTP: {http_link}",
        ),
        DemoRequest(
            task_id="test-i2i",
            api_version="v1alpha2",
            body=v1alpha2,
            remark=f"links to its image by HTTP: {http_link}",
        ),
        DemoRequest(
            task_id="test-i2i-v1alpha1",
            api_version="v1alpha1",
            body=v1alpha1,
            remark=f"links to its image by S3: {s3_link}",
        ),
    ]


def run(console: Console, output_folder: Path, assembly: Path | None = None) -> None:
    """Start everything, submit all requests, store images and callbacks, and stop everything."""
    started_at = time.monotonic()

    def step(text: str) -> None:
        console.print(
            f"[dim]{time.monotonic() - started_at:5.1f} s[/dim]  {text}", highlight=False, soft_wrap=True
        )

    console.print(PREAMBLE, highlight=False)
    with (
        serve_folder(EXAMPLES) as address,
        run_receiver() as receiver,
        console.status("running"),
        run_pipeline(config=CONFIG, assembly=assembly, runtimes=RUNTIMES, on_step=step) as pipeline,
    ):
        s3_link = pipeline.upload(PICTURE, (EXAMPLES / PICTURE).read_bytes())
        requests = demo_requests(f"{address}/{PICTURE}", s3_link, receiver.url)
        timelines = [_run_request(pipeline, request, output_folder, step) for request in requests]
        event = verify_webhook(
            receiver.wait_for_outcome(requests[-1].task_id), signing_secret(pipeline.aws, pipeline.deployment)
        )
        step(f"     webhook of {requests[-1].task_id}: {event['type']}, signature verified")
        step("stopping everything")
    console.print(timeline_table(timelines))
    step(f"done: images and callbacks are in {_display_path(output_folder)}/")


def main(
    output_folder: Annotated[
        Path, typer.Option("--out", help="Folder for images and callbacks.")
    ] = OUTPUT_FOLDER,
    assembly: Annotated[
        Path | None, typer.Option(help="Folder of a synthesized app. Default: synthesize it.")
    ] = None,
) -> None:
    """Run three image-to-image requests through the pipeline; exit with 0 if all produced images."""
    exit_on_signal()
    console = Console()
    try:
        run(console, output_folder.resolve(), assembly)
    except KeyboardInterrupt:
        console.print("stopped")
        raise typer.Exit(130) from None
    except (DemoFailed, DeployFailed, ProcessFailed, TimeoutError) as error:
        sys.stderr.write(f"demo: {error}\n")
        raise typer.Exit(1) from None


def _run_request(
    pipeline: Pipeline, request: DemoRequest, output_folder: Path, step: Callable[[str], None]
) -> Timeline:
    step(f"POST /{request.api_version} {request.task_id} ({request.remark})")
    sent_at = datetime.now(UTC)
    response = pipeline.submit(request.body, request.api_version)
    if not response.is_success:
        raise DemoFailed(
            f"the API answered {response.status_code}: {response.text}\n{pipeline.recent_output()}"
        )
    step(f"     {response.status_code}, output location: {response.json()['output_location']}")
    callback = pipeline.wait_for_callback(request.task_id)
    if callback["result"] is not True:
        raise DemoFailed(
            f"{request.task_id} failed: {json.dumps(callback['error'])}\n{pipeline.recent_output()}"
        )
    folder = output_folder / request.task_id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "callback.json").write_text(json.dumps(callback, indent=2, ensure_ascii=False) + "\n")
    for link in callback["image_url"]:
        image = folder / link.rsplit("/", 1)[1]
        image.write_bytes(pipeline.download(link))
        step(f"     {_display_path(image)} ({image.stat().st_size:,} bytes)")
    received_at = pipeline.callbacks.of_task(request.task_id)[-1].received_at
    row = pipeline.row(request.task_id) or {}
    return build_timeline(request.task_id, row, sent_at=sent_at, received_at=received_at)


def _read_example(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return body


def _display_path(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    typer.run(main)
