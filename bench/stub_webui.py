"""A stub SD Web UI with constant job and load times.

It does almost nothing itself, so that a benchmark measures the consumer. `python -m bench.stub_webui
--job-seconds 0.5` prints its port and serves until it is stopped; `GET /measurements` returns when jobs ran
and how often a checkpoint was loaded.
"""

import base64
import io
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from PIL import Image

from bench.environment import check_waiting
from local.process import Process

ROOT = Path(__file__).parent.parent

CHECKPOINTS = [f"{name}.safetensors" for name in ("alpha", "beta", "gamma")]


class StubGpu:
    """Pretends to run one job at a time, and records when each ran."""

    def __init__(self, *, job_seconds: float, load_seconds: float, side_pixels: int) -> None:
        self.lock = threading.Lock()
        self.job_seconds = job_seconds
        self.load_seconds = load_seconds
        self.selected_checkpoint = CHECKPOINTS[0]
        self.loaded_checkpoint = CHECKPOINTS[0]
        self.job_started_at: float | None = None
        self.jobs: list[tuple[float, float]] = []  # start and end of each, by the monotonic clock
        self.details: list[dict[str, float]] = []
        self.job_timestamp = "0"
        self.model_loads = 0
        self.checkpoints_used: list[str] = []
        self.image = base64.b64encode(noise_png(side_pixels)).decode()

    def run(self, body: dict[str, Any], details: dict[str, float]) -> bytes:
        """Sleep for the time of a job and return the body of a response in the recorded form.

        `details` gets the times of the steps: `begun`, `ended` (the job), `encoded` (the response).
        """
        with self.lock:
            if self.selected_checkpoint != self.loaded_checkpoint:
                time.sleep(self.load_seconds)
                self.loaded_checkpoint = self.selected_checkpoint
                self.model_loads += 1
            self.job_started_at = details["begun"] = time.monotonic()
            self.job_timestamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
            time.sleep(self.job_seconds)
            details["ended"] = time.monotonic()
            self.jobs.append((self.job_started_at, details["ended"]))
            self.details.append(details)
            self.job_started_at = None
            self.checkpoints_used.append(self.loaded_checkpoint)
            name = self.loaded_checkpoint.removesuffix(".safetensors")
        info = {"sd_model_name": name, "all_seeds": [1], "infotexts": [""], "index_of_first_image": 0}
        response = {
            "images": [self.image],
            "parameters": {"steps": body.get("steps")},
            "info": json.dumps(info),
        }
        encoded = json.dumps(response).encode()
        details["encoded"] = time.monotonic()
        return encoded

    def progress(self) -> dict[str, Any]:
        """Return the response of `/progress`."""
        started_at = self.job_started_at
        fraction = min(1.0, (time.monotonic() - started_at) / self.job_seconds) if started_at else 0.0
        return {
            "progress": fraction,
            "state": {
                "interrupted": False,
                "job_count": 1 if started_at else 0,
                "job_timestamp": self.job_timestamp,
            },
            "current_image": None,
        }


class Handler(BaseHTTPRequestHandler):
    """Serves the routes that the consumer uses."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    gpu: StubGpu

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        models = [
            {
                "title": name,
                "model_name": name.removesuffix(".safetensors"),
                "hash": None,
                "sha256": None,
                "filename": f"/models/Stable-diffusion/{name}",
                "config": None,
            }
            for name in CHECKPOINTS
        ]
        responses: dict[str, Any] = {
            "/sdapi/v1/memory": {},
            "/sdapi/v1/progress": self.gpu.progress(),
            "/sdapi/v1/sd-models": models,
            "/sdapi/v1/options": {"sd_model_checkpoint": self.gpu.selected_checkpoint},
            "/measurements": {
                "jobs": self.gpu.jobs,
                "details": self.gpu.details,
                "switches": self.gpu.model_loads,
                "models": self.gpu.checkpoints_used,
            },
        }
        self._send(json.dumps(responses.get(path, [])).encode())

    def do_POST(self) -> None:
        details = {"asked": time.monotonic()}
        raw_body = self.rfile.read(int(self.headers["content-length"]))
        details["received"] = time.monotonic()
        body = json.loads(raw_body or b"{}")
        if self.path.endswith("/options"):
            self.gpu.selected_checkpoint = body.get("sd_model_checkpoint", self.gpu.selected_checkpoint)
            self._send(b"null")
        elif self.path.endswith("2img"):
            self._send(self.gpu.run(body, details))
            details["written"] = time.monotonic()
        else:
            self._send(b"null")

    def log_message(self, *_: object) -> None:
        """Suppress the log of requests."""

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def noise_png(side_pixels: int) -> bytes:
    """Return a square PNG that compresses about as badly as a photograph."""
    buffer = io.BytesIO()
    channels = [Image.effect_noise((side_pixels, side_pixels), 60) for _ in "RGB"]
    Image.merge("RGB", channels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@contextmanager
def stub_webui(*, job_seconds: float, side_pixels: int, load_seconds: float = 0.0) -> Iterator[str]:
    """Run the stub Web UI as a process and yield its URL."""
    command = [
        *(sys.executable, "-m", "bench.stub_webui"),
        *(f"--job-seconds={job_seconds}", f"--side-pixels={side_pixels}", f"--load-seconds={load_seconds}"),
    ]
    with Process("web-ui", command, environment=dict(os.environ), cwd=str(ROOT), stop_seconds=2) as process:
        line = process.wait_for_line("listening", timeout=20)
        yield f"http://127.0.0.1:{line.split()[1]}"


def get_measurements(webui_url: str) -> dict[str, Any]:
    """Return the stub's `jobs` (start and end of each), their `details` and `models`, and the `switches`.

    All times are seconds of the monotonic clock; `switches` counts the loaded checkpoints.
    """
    return dict(httpx.get(f"{webui_url}/measurements", trust_env=False).json())


def wait_for_jobs(webui_url: str, count: int, *, process: Process, seconds: float) -> dict[str, Any]:
    """Wait until Web UI has run `count` jobs; otherwise raise an error with the end of the consumer's log."""
    deadline = time.monotonic() + seconds
    while len((measurements := get_measurements(webui_url))["jobs"]) < count:
        check_waiting(process, deadline, f"{len(measurements['jobs'])} of {count} jobs done")
        time.sleep(0.2)
    return measurements


def main(
    job_seconds: Annotated[float, typer.Option()], load_seconds: float = 0.0, side_pixels: int = 512
) -> None:
    """Serve until stopped; `side_pixels` is the width and height of the images."""
    Handler.gpu = StubGpu(job_seconds=job_seconds, load_seconds=load_seconds, side_pixels=side_pixels)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"listening {server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    typer.run(main)
