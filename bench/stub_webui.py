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


class Gpu:
    """Runs one job at a time, and records when."""

    def __init__(self, *, job_seconds: float, load_seconds: float, side: int) -> None:
        self.lock = threading.Lock()
        self.job_seconds = job_seconds
        self.load_seconds = load_seconds
        self.selected = CHECKPOINTS[0]
        self.loaded = CHECKPOINTS[0]
        self.begun: float | None = None
        self.jobs: list[tuple[float, float]] = []
        self.details: list[dict[str, float]] = []
        self.timestamp = "0"
        self.switches = 0
        self.model_jobs: list[str] = []
        self.image = base64.b64encode(picture(side)).decode()

    def run(self, body: dict[str, Any], details: dict[str, float]) -> bytes:
        """Sleep for the time of a job and return the body of a response in the recorded form.

        The moments at which the steps of the response ended are noted in `details`.
        """
        with self.lock:
            if self.selected != self.loaded:
                time.sleep(self.load_seconds)
                self.loaded = self.selected
                self.switches += 1
            self.begun = details["begun"] = time.monotonic()
            self.timestamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
            time.sleep(self.job_seconds)
            details["ended"] = time.monotonic()
            self.jobs.append((self.begun, details["ended"]))
            self.details.append(details)
            self.begun = None
            self.model_jobs.append(self.loaded)
            name = self.loaded.removesuffix(".safetensors")
        info = {"sd_model_name": name, "all_seeds": [1], "infotexts": [""], "index_of_first_image": 0}
        answer = {
            "images": [self.image],
            "parameters": {"steps": body.get("steps")},
            "info": json.dumps(info),
        }
        encoded = json.dumps(answer).encode()
        details["encoded"] = time.monotonic()
        return encoded

    def progress(self) -> dict[str, Any]:
        """Return the response of `/progress`."""
        begun = self.begun
        fraction = min(1.0, (time.monotonic() - begun) / self.job_seconds) if begun else 0.0
        return {
            "progress": fraction,
            "state": {
                "interrupted": False,
                "job_count": 1 if begun else 0,
                "job_timestamp": self.timestamp,
            },
            "current_image": None,
        }


class Handler(BaseHTTPRequestHandler):
    """Serves the routes that the consumer uses."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    gpu: Gpu

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
        answers: dict[str, Any] = {
            "/sdapi/v1/memory": {},
            "/sdapi/v1/progress": self.gpu.progress(),
            "/sdapi/v1/sd-models": models,
            "/sdapi/v1/options": {"sd_model_checkpoint": self.gpu.selected},
            "/measurements": {
                "jobs": self.gpu.jobs,
                "details": self.gpu.details,
                "switches": self.gpu.switches,
                "models": self.gpu.model_jobs,
            },
        }
        self._send(json.dumps(answers.get(path, [])).encode())

    def do_POST(self) -> None:
        details = {"asked": time.monotonic()}
        sent = self.rfile.read(int(self.headers["content-length"]))
        details["received"] = time.monotonic()
        body = json.loads(sent or b"{}")
        if self.path.endswith("/options"):
            self.gpu.selected = body.get("sd_model_checkpoint", self.gpu.selected)
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


def picture(side: int) -> bytes:
    """Return a PNG that compresses about as badly as a photograph."""
    encoded = io.BytesIO()
    channels = [Image.effect_noise((side, side), 60) for _ in "RGB"]
    Image.merge("RGB", channels).save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()


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


def measurements(webui_url: str) -> dict[str, Any]:
    """Return the stub Web UI's `jobs` (their start and end), `switches`, and `models` (one for each job)."""
    return dict(httpx.get(f"{webui_url}/measurements", trust_env=False).json())


def wait_for_jobs(webui_url: str, count: int, *, process: Process, seconds: float) -> dict[str, Any]:
    """Wait until Web UI has run `count` jobs; otherwise raise an error with the end of the consumer's log."""
    deadline = time.monotonic() + seconds
    while len((found := measurements(webui_url))["jobs"]) < count:
        check_waiting(process, deadline, f"{len(found['jobs'])} of {count} jobs done")
        time.sleep(0.2)
    return found


def main(
    job_seconds: Annotated[float, typer.Option()], load_seconds: float = 0.0, side_pixels: int = 512
) -> None:
    """Serve until stopped; `side_pixels` is the width and height of the images."""
    Handler.gpu = Gpu(job_seconds=job_seconds, load_seconds=load_seconds, side=side_pixels)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"listening {server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    typer.run(main)
