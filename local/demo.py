"""Run two image-to-image requests through the whole pipeline on this machine: `make demo`."""

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
from local.pictures import served
from local.pipeline import Pipeline, pipeline
from local.process import ProcessFailed
from local.receiver import receiving, signing_secret, verified
from local.signals import exit_on_signal
from local.timeline import Timeline, table, timeline

EXAMPLES = ROOT / "examples"
OUT = ROOT / "out"
PICTURE = "cat.png"
RUNTIME = "sdruntime"
WORKFLOWS_RUNTIME = "comfyruntime"
RUNTIMES = (RUNTIME, WORKFLOWS_RUNTIME)
PREAMBLE = (
    "This sends two image-to-image requests, one in each API version, through the whole pipeline on this "
    "machine. ministack emulates API Gateway, Lambda, DynamoDB, SNS, SQS and S3; the stack and the code are "
    "the same as those of `cdk deploy`. Instead of a GPU, a fake SD Web UI draws a picture of each request. "
    f"The requests link to examples/{PICTURE}.\n"
)


class DemoFailed(RuntimeError):
    """A request of the demo did not produce an image."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request of the demo."""

    id: str
    version: str
    body: dict[str, Any]
    remark: str


def demo_requests(http_link: str, s3_link: str, webhook: str) -> list[Request]:
    """Return the image-to-image examples of both API versions, with links to the project's own picture.

    The second one sends its outcome to a webhook.
    """
    new = copy.deepcopy(_example("v1alpha2-image-to-image"))
    new["task"]["content"]["init_images"] = [http_link]
    old = copy.deepcopy(_example("v1alpha1-image-to-image"))
    # Both examples use the prefix of their id, so the second one gets an id and thereby a folder of its own.
    old["alwayson_scripts"] |= {
        "image_link": s3_link,
        "id_task": "test-i2i-v1alpha1",
        "webhook": webhook,
    }
    return [
        Request(
            id="test-i2i", version="v1alpha2", body=new, remark=f"links to its image by HTTP: {http_link}"
        ),
        Request(
            id="test-i2i-v1alpha1",
            version="v1alpha1",
            body=old,
            remark=f"links to its image by S3: {s3_link}",
        ),
    ]


def workflow_request(link: str) -> Request:
    """Return the example of a ComfyUI workflow, with a link to the project's own picture.

    It is sent if a runtime of that name is deployed.
    """
    body = copy.deepcopy(_example("v1alpha2-comfyui-image-to-image"))
    body["task"]["content"]["files"] = {PICTURE: link}
    remark = f"runs a ComfyUI workflow with {link}"
    return Request(id="test-comfyui-i2i", version="v1alpha2", body=body, remark=remark)


def run(console: Console, out: Path, assembly: Path | None = None) -> None:
    """Start everything, submit both requests, store images and callbacks in `out`, and stop everything."""
    began = time.monotonic()

    def step(text: str) -> None:
        console.print(
            f"[dim]{time.monotonic() - began:5.1f} s[/dim]  {text}", highlight=False, soft_wrap=True
        )

    console.print(PREAMBLE, highlight=False)
    with (
        served(EXAMPLES) as address,
        receiving() as receiver,
        console.status("running"),
        pipeline(config=CONFIG, assembly=assembly, runtimes=RUNTIMES, on_step=step) as running,
    ):
        s3_link = running.upload(PICTURE, (EXAMPLES / PICTURE).read_bytes())
        requests = demo_requests(f"{address}/{PICTURE}", s3_link, receiver.url)
        if any(each.runtime.name == WORKFLOWS_RUNTIME for each in running.workers):
            requests.insert(0, workflow_request(f"{address}/{PICTURE}"))
        timelines = [_one(running, request, out, step) for request in requests]
        event = verified(receiver.event_of(requests[-1].id), signing_secret(running.aws, running.deployment))
        step(f"     webhook of {requests[-1].id}: {event['type']}, signature verified")
        step("stopping everything")
    console.print(table(timelines))
    step(f"done: images and callbacks are in {_shown(out)}/")


def main(
    out: Annotated[Path, typer.Option(help="Folder for images and callbacks.")] = OUT,
    assembly: Annotated[
        Path | None, typer.Option(help="Folder of a synthesized app. Default: synthesize it.")
    ] = None,
) -> None:
    """Run two image-to-image requests through the whole pipeline; exit with 0 if both produced images."""
    exit_on_signal()
    console = Console()
    try:
        run(console, out.resolve(), assembly)
    except KeyboardInterrupt:
        console.print("stopped")
        raise typer.Exit(130) from None
    except (DemoFailed, DeployFailed, ProcessFailed, TimeoutError) as error:
        sys.stderr.write(f"demo: {error}\n")
        raise typer.Exit(1) from None


def _one(running: Pipeline, request: Request, out: Path, step: Callable[[str], None]) -> Timeline:
    step(f"POST /{request.version} {request.id} ({request.remark})")
    sent_at = datetime.now(UTC)
    answer = running.submit(request.body, request.version)
    if not answer.is_success:
        raise DemoFailed(f"the API answered {answer.status_code}: {answer.text}\n{running.tails()}")
    step(f"     {answer.status_code}, output location: {answer.json()['output_location']}")
    callback = running.outcome(request.id)
    if callback["result"] is not True:
        raise DemoFailed(f"{request.id} failed: {json.dumps(callback['error'])}\n{running.tails()}")
    folder = out / request.id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "callback.json").write_text(json.dumps(callback, indent=2, ensure_ascii=False) + "\n")
    for link in callback["image_url"]:
        image = folder / link.rsplit("/", 1)[1]
        image.write_bytes(running.read(link))
        step(f"     {_shown(image)} ({image.stat().st_size:,} bytes)")
    received_at = running.callbacks.of(request.id)[-1].received_at
    row = running.row(request.id) or {}
    return timeline(request.id, row, sent_at=sent_at, received_at=received_at)


def _example(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return body


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    typer.run(main)
