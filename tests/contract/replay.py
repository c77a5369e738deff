"""Replay recorded requests with a fake that runs in this process behind a real socket."""

import base64
import contextlib
import hashlib
import http.server
import json
import re
import socket
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from local.fakes.model_file import write_checkpoint
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.process import Control
from local.fakes.sdwebui.server import in_thread
from local.fakes.sdwebui.settings import Settings
from tests.contract.compare import SHAPE_ONLY_ROUTES, differences
from tests.support.recordings import names, recording

RECORDED_DIR = "/stable-diffusion-webui/models/Stable-diffusion"
HASHES_OF_OTHER = ("9d70df1b86f023ef5b588c673ab950fef776064ad17ffe220423f89993bdced0", "")
HASHES_OF_TINY = ("51eae90cb1da07d4b5aad7b72d103acff7064b6d7b6c202b2b05fa1b72387148", "a069599b")
TIMEOUT_SECONDS = 30

Make = Callable[[Settings], Components]


def quick_settings(**settings: Any) -> Settings:
    """Return settings with which everything takes almost no time."""
    fast = {"step_seconds": 0.0, "load_seconds": 0.0, "cached_load_seconds": 0.0, "extra_seconds": 0.0}
    return Settings(**{**fast, "extra_scripts": (), **settings})


def make_models(folder: Path) -> Path:
    """Write the recorded checkpoints, which are longer than the megabyte at which the old hash begins."""
    other, tiny = b"other" * 250_000, b"tiny!" * 250_000
    write_checkpoint(folder / "other-random-v1-5.safetensors", other)
    write_checkpoint(folder / "tiny-random-v1-5.safetensors", tiny)
    write_checkpoint(folder / "sub/nested-random.safetensors", other)
    return folder


@dataclass
class Replay:
    """Sends recorded requests to a fake and compares its responses with the recorded ones.

    `notes_by_recording` are the differences. `addresses` are servers of the recorded machine, and those that
    stand for them here. Hashes, paths and addresses of this machine are replaced by the recorded ones.
    """

    components: Components
    url: str
    notes_by_recording: dict[str, list[str]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=TIMEOUT_SECONDS)
        self.control = Control(self.url)
        self.pool = ThreadPoolExecutor(64)
        self._hashed: dict[str, str] = {}

    def play(self, *patterns: str) -> None:
        """Replay recordings by name or pattern, in this order."""
        for pattern in patterns:
            for name in names(pattern):
                self.compare(name, self.send(name))

    def send(self, name: str) -> dict[str, Any]:
        """Send a recorded request and return the response, translated to the recorded machine's values."""
        request = recording(name)["request"]
        headers = {k: v for k, v in (request.get("headers") or {}).items() if v is not None}
        body = self._body(request)
        built = self.client.build_request(request["method"], request["path"], content=body, headers=headers)
        return self.translate(self.client.send(built))

    def send_later(self, name: str) -> "Future[dict[str, Any]]":
        """Send a recorded request in another thread."""
        return self.pool.submit(self.send, name)

    def compare(self, name: str, answer: dict[str, Any]) -> None:
        """Compare a response with the recorded one."""
        recorded = recording(name)
        shape_only = any(recorded["request"]["path"].endswith(f"/{route}") for route in SHAPE_ONLY_ROUTES)
        notes = differences(recorded["response"], answer, self.to_recorded, shape_only=shape_only)
        self.notes_by_recording.setdefault(name, []).extend(notes)

    def expect(self, name: str, actual: Any, expected: Any, subject: str) -> None:
        """Compare a value with one of a recorded log or of a documented quirk."""
        notes = self.notes_by_recording.setdefault(name, [])
        if actual != expected:
            notes.append(f"{subject}: {str(actual)[:200]!r} instead of {str(expected)[:200]!r}")

    def get(self, path: str) -> Any:
        """Read a route."""
        return self.client.get(path).json()

    def options(self, **values: Any) -> int:
        """Set options, as the recorder did between recordings."""
        return self.client.post("/sdapi/v1/options", json=values).status_code

    def send_and_disconnect(self, name: str) -> None:
        """Send a recorded request and disconnect without waiting for the response."""
        body = self._body(recording(name)["request"])
        with socket.create_connection(("127.0.0.1", self.client.base_url.port or 0)) as connection:
            head = f"POST {recording(name)['request']['path']} HTTP/1.1\r\nhost: x"
            connection.sendall(
                f"{head}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                + body
            )

    def translate(self, response: httpx.Response) -> dict[str, Any]:
        """Return a response with the recorded machine's paths, addresses and hashes."""
        text = self.to_recorded(response.text)
        answer: dict[str, Any] = {"status": response.status_code, "headers": dict(response.headers)}
        if response.headers.get("content-type") == "application/json":
            return {**answer, "json": json.loads(text)}
        return {**answer, "text": text}

    def to_recorded(self, text: str) -> str:
        """Replace values of this machine by those of the recorded machine."""
        for recorded, own in self._value_pairs():
            text = text.replace(own, recorded)
        return text

    def to_this_machine(self, text: str) -> str:
        """Replace values of the recorded machine by those of this machine."""
        for recorded, own in self._value_pairs():
            text = text.replace(recorded, own)
        return text

    def _value_pairs(self) -> list[tuple[str, str]]:
        pairs = list(self.addresses.items())
        for checkpoint in self.components.checkpoints.all():
            sha256, old = HASHES_OF_TINY if checkpoint.stem.startswith("tiny") else HASHES_OF_OTHER
            if checkpoint.stem.endswith(("random", "random-v1-5")) and checkpoint.path:
                own_sha256 = (
                    self._hashed.setdefault(checkpoint.name, "")
                    or hashlib.sha256(checkpoint.path.read_bytes()).hexdigest()
                )
                self._hashed[checkpoint.name] = own_sha256
                pairs += [(sha256, own_sha256), (sha256[:10], own_sha256[:10])] + [
                    (old, checkpoint.old_hash)
                ] * bool(old)
        if self.components.settings.model_dir:
            pairs.append((RECORDED_DIR, str(self.components.settings.model_dir)))
        return pairs

    def _body(self, request: dict[str, Any]) -> bytes:
        if "raw_body" in request:
            raw = str(request["raw_body"])
            return eval(raw) if re.match(r"b'", raw) else raw.encode()  # noqa: S307 -- our own recording's repr
        if request.get("json") is None and request["method"] == "GET":
            return b""
        return (
            b"" if request.get("json") is None else self.to_this_machine(json.dumps(request["json"])).encode()
        )


@contextlib.contextmanager
def replaying(make: Make, settings: Settings) -> Generator[Replay, None, None]:
    """Run a fake with components from `make` and yield the replay with it."""
    components = make(settings)
    with in_thread(components) as url:
        replay = Replay(components, url)
        try:
            yield replay
        finally:
            components.faults.clear()
            replay.pool.shutdown()
            replay.client.close()


@contextlib.contextmanager
def image_server() -> Generator[str, None, None]:
    """Serve a PNG and a page, as a server beside the recorder did; yield host:port."""
    image = recording("20-img2img-basic")["request"]["json"]["init_images"][0]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(base64.b64decode(image) if self.path.endswith(".png") else b"<html></html>")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
