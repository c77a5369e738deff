"""A receiver of webhooks on this machine, which verifies their signatures."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

from local.deploy import Deployment
from local.emulator import Emulator

StatusForRequest = Callable[["Request"], int]


@dataclass(frozen=True)
class Request:
    """A webhook request that was received."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the parsed body."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """A running receiver; `status_for` returns the HTTP status of an answer, or 0 to reset the connection."""

    url: str
    status_for: StatusForRequest
    requests: list[Request] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def wait_for_outcome(self, task_id: str, *, seconds: float = 30) -> Request:
        """Wait for the webhook with the outcome of a task; raise TimeoutError without one."""
        deadline = time.monotonic() + seconds
        with self.arrived:
            while True:
                for request in self.requests:
                    if request.json["data"]["id"] == task_id and request.json["type"] != "task.running":
                        return request
                if (seconds_left := deadline - time.monotonic()) <= 0:
                    raise TimeoutError(f"no webhook of {task_id} within {seconds:g} s")
                self.arrived.wait(seconds_left)

    def wait_for_requests(self, count: int, *, seconds: float = 30) -> list[Request]:
        """Wait until a number of requests has arrived, and return all."""
        deadline = time.monotonic() + seconds
        with self.arrived:
            while len(self.requests) < count:
                seconds_left = deadline - time.monotonic()
                assert seconds_left > 0, f"{len(self.requests)} of {count} requests arrived"
                self.arrived.wait(seconds_left)
            return list(self.requests)


def signing_secret(aws: Emulator, deployment: Deployment) -> str:
    """Return the secret of a deployment in the form that receivers verify signatures with."""
    arn = deployment.outputs["WebhookSecret"]
    value: str = aws.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    return f"whsec_{value}"


def verify_webhook(request: Request, secret: str) -> dict[str, Any]:
    """Return the body of a request; raise WebhookVerificationError if its signature is not right."""
    body: dict[str, Any] = Webhook(secret).verify(request.body, request.headers)
    return body


@contextmanager
def run_receiver(
    status_for: StatusForRequest = lambda _: 204, *, on_request: Callable[[Request], None] = lambda _: None
) -> Iterator[Receiver]:
    """Run a receiver until the block ends; `on_request` is called with each request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            with receiver.arrived:
                receiver.requests.append(request)
                receiver.arrived.notify_all()
            on_request(request)
            status = receiver.status_for(request)
            if status == 0:
                self.connection.close()
                return
            self.send_response(status)
            if status in (301, 302, 307):
                self.send_header("location", f"{receiver.url}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}", status_for)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
