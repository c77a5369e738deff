"""Between two jobs the consumer only sends the next request, because the GPU waits for it."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from container.consumer.engines.base import Artifact, Loaded, Request, Result, RunHooks
from domain.row import Status
from tests.support.cloud import Cloud
from tests.support.consumers import running_consumer
from tests.support.toy.engine import ToyEngine

JOB_SECONDS, ENCODING_SECONDS = 0.4, 0.2
SENDING_SECONDS = 0.05
TASK_COUNT = 8
LEARNING_JOBS = 3
"""After so many jobs the worker has measured how long a job takes, and prepares the next one in time."""

PNG = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x40\x08\x02\0\0\0" + bytes(1_000_000)
).decode()


@dataclass
class TimedRequest:
    """A request, and the monotonic times at which it arrived and its response began and ended."""

    method: str
    path: str
    arrived: float
    answering: float = 0.0
    answered: float = 0.0


class Server(ThreadingHTTPServer):
    """An SD Web UI with one checkpoint.

    As in a real one, the GPU is free when a job ends, but the images are encoded before the response.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[TimedRequest] = []
        self.jobs = 0
        self.running = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def respond(self, path: str) -> Any:
        if path.endswith("2img"):
            self.running, self.jobs = True, self.jobs + 1
            time.sleep(JOB_SECONDS)
            self.running = False
            time.sleep(ENCODING_SECONDS)
            info = {"sd_model_name": "own", "all_seeds": [1], "infotexts": ["a\nSteps: 4, Seed: 1"]}
            return {"images": [PNG], "parameters": {}, "info": json.dumps(info)}
        model = {"title": "own.safetensors", "model_name": "own", "filename": "/models/own.safetensors"}
        state = {"job_count": int(self.running), "interrupted": False, "job_timestamp": str(self.jobs)}
        return {
            "/sdapi/v1/sd-models": [model | {"hash": None, "sha256": None}],
            "/sdapi/v1/options": {"sd_model_checkpoint": "own.safetensors"},
            "/sdapi/v1/progress": {"progress": 0.5, "state": state},
            "/sdapi/v1/memory": {},
        }.get(path, [])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self.record_and_respond()

    def do_POST(self) -> None:
        self.record_and_respond()

    def record_and_respond(self) -> None:
        path = self.path.partition("?")[0]
        request = TimedRequest(self.command, path, time.monotonic())
        self.server.requests.append(request)
        self.rfile.read(int(self.headers["content-length"] or 0))
        body = json.dumps(self.server.respond(path)).encode()
        request.answering = time.monotonic()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        request.answered = time.monotonic()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def test_nothing_is_requested_between_a_response_and_the_next_job(cloud: Cloud, task_id: str) -> None:
    tasks = [f"{task_id}-{number}" for number in range(TASK_COUNT)]
    with serving() as server, running_consumer(cloud, server.url, model_filename="own.safetensors"):
        for task in tasks:
            cloud.submit(task)
        assert {cloud.outcome(task).status for task in tasks} == {Status.COMPLETED}
    jobs = [request for request in server.requests if request.path.endswith("2img")]
    assert len(jobs) == TASK_COUNT
    requests_between_jobs = [
        request
        for before, after in zip(jobs[LEARNING_JOBS:], jobs[LEARNING_JOBS + 1 :], strict=False)
        for request in server.requests
        if before.answering <= request.arrived < after.arrived and request is not after
    ]
    assert len(requests_between_jobs) <= 1, (
        "a busy machine may delay one progress request beyond the response"
    )
    options = [
        request
        for request in server.requests
        if request.path.endswith("/options") and request.method == "GET"
    ]
    assert all(request.arrived < jobs[0].answering for request in options), (
        "later the responses name the checkpoint"
    )
    progress = [
        request
        for request in server.requests
        if request.path.endswith("/progress") and request.arrived > jobs[-3].arrived
    ]
    assert len(progress) <= 12, "progress requests take the processor time of the job"


class OrderedEngine(ToyEngine):
    """Records the order in which requests are sent and responses read."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []

    def run(self, request: Request, _loaded: Loaded, hooks: RunHooks) -> Callable[[], Result]:
        name = str(request.payload["prompt"])
        time.sleep(SENDING_SECONDS)
        self.steps.append(f"sent {name}")
        hooks.sent()
        time.sleep(JOB_SECONDS)

        def read() -> Result:
            self.steps.append(f"read {name}")
            return Result([Artifact(name.encode, 1, {})], {})

        return read


def test_a_response_is_parsed_after_the_next_request_was_sent(cloud: Cloud, task_id: str) -> None:
    engine = OrderedEngine()
    tasks = [f"{task_id}-{number}" for number in range(TASK_COUNT)]
    with running_consumer(cloud, "http://127.0.0.1:1", engines={"sdwebui": lambda *_: engine}):
        for task in tasks:
            cloud.submit(task)
        assert {cloud.outcome(task).status for task in tasks} == {Status.COMPLETED}
    order = [step.split()[1] for step in engine.steps if step.startswith("sent")]
    sent_late = [
        after
        for before, after in zip(order[LEARNING_JOBS:], order[LEARNING_JOBS + 1 :], strict=False)
        if engine.steps.index(f"sent {after}") > engine.steps.index(f"read {before}")
    ]
    assert len(sent_late) <= 1, (
        "a busy machine may delay the preparation of one task beyond the job before it"
    )
    assert engine.steps[-1] == f"read {order[-1]}"
