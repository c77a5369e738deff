"""A client of ComfyUI without any of this project's code, and the workflows that tests of the fake send."""

import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from PIL import Image
from wsproto import ConnectionType, WSConnection
from wsproto.events import BytesMessage, CloseConnection, Request, TextMessage

from local.fakes.comfyui import recipe

CHECKPOINT = "v1-5-pruned-emaonly.safetensors"
POLL_SECONDS = 0.01
TIMEOUT_SECONDS = 30

Workflow = dict[str, Any]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """Return a node."""
    return {"class_type": kind, "inputs": inputs}


def text_to_image(*, seed: int = 1, text: str = "a lighthouse", steps: int = 2, size: int = 64) -> Workflow:
    """Return a workflow with the ids of ComfyUI's default one: node 3 samples, node 9 saves the image."""
    return {
        "3": node(
            "KSampler",
            seed=seed,
            steps=steps,
            cfg=7.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
            model=["4", 0],
            positive=["6", 0],
            negative=["7", 0],
            latent_image=["5", 0],
        ),
        "4": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
        "5": node("EmptyLatentImage", width=size, height=size, batch_size=1),
        "6": node("CLIPTextEncode", text=text, clip=["4", 1]),
        "7": node("CLIPTextEncode", text="fog", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", images=["8", 0], filename_prefix="it"),
    }


def image_to_image(name: str, **options: Any) -> Workflow:
    """Return a workflow that starts from an uploaded image."""
    flow = text_to_image(**options)
    flow["1"] = node("LoadImage", image=name)
    flow["5"] = node("VAEEncode", pixels=["1", 0], vae=["4", 2])
    flow["3"]["inputs"]["denoise"] = 0.5
    return flow


def png(colour: str = "red", *, size: int = 64, mode: str = "RGB") -> bytes:
    """Return a picture of one colour."""
    content = io.BytesIO()
    Image.new(mode, (size, size), colour).save(content, "PNG")
    return content.getvalue()


class Client:
    """Sends workflows and reads their results."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS)

    def post(self, flow: Workflow, **fields: Any) -> httpx.Response:
        """Queue a workflow."""
        return self.http.post("/prompt", json={"prompt": flow, **fields})

    def queue(self, flow: Workflow, **fields: Any) -> str:
        """Queue a workflow and return the id of its job."""
        answer = self.post(flow, **fields)
        assert answer.status_code == 200, answer.text
        assert answer.json()["node_errors"] == {}
        return str(answer.json()["prompt_id"])

    def history(self, job: str) -> dict[str, Any] | None:
        """Return the history of a job, None until it has ended."""
        entry: dict[str, Any] | None = self.http.get(f"/history/{job}").json().get(job)
        return entry

    def wait(self, job: str) -> dict[str, Any]:
        """Wait until a job has ended and return its history."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while (entry := self.history(job)) is None:
            assert time.monotonic() < deadline, f"{job} has not ended"
            time.sleep(POLL_SECONDS)
        return entry

    def run(self, flow: Workflow, **fields: Any) -> dict[str, Any]:
        """Queue a workflow and return its history."""
        return self.wait(self.queue(flow, **fields))

    def upload(self, name: str, content: bytes) -> str:
        """Upload an image and return its name on the server."""
        form = {"overwrite": "true"}
        answer = self.http.post("/upload/image", files={"image": (name, content, "image/png")}, data=form)
        return str(answer.json()["name"])

    def image(self, entry: dict[str, Any], output: str = "9", place: int = 0) -> Image.Image:
        """Download an image that an output node reported."""
        answer = self.http.get("/view", params=entry["outputs"][output]["images"][place])
        assert answer.status_code == 200, answer.status_code
        return Image.open(io.BytesIO(answer.content))

    def run_and_read_recipe(self, flow: Workflow, output: str = "9") -> dict[str, Any]:
        """Run a workflow and return the recipe that the fake wrote into its first image: prompt, seed, …"""
        picture_recipe = recipe.read(self.image(self.run(flow), output))
        assert picture_recipe is not None
        return picture_recipe


class Socket:
    """A websocket that collects what it gets."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._changed = threading.Condition()
        self.messages: list[dict[str, Any] | bytes] = []
        self.closed = False

    def open(self, host: str, path: str) -> None:
        """Open the websocket, and collect its messages in a thread."""
        self._connection.sendall(self._protocol.send(Request(host=host, target=path)))
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, kind: str, *, timeout: float = TIMEOUT_SECONDS, **data: Any) -> None:
        """Wait for a message of a type with these data."""
        with self._changed:
            has_come = self._changed.wait_for(lambda: self.has(kind, data), timeout)
        assert has_come, f"no {kind} {data} in {self.types()}"

    def wait_until_closed(self) -> None:
        """Wait until the server has closed the socket."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.closed, TIMEOUT_SECONDS)

    def types(self) -> list[str]:
        """Return the types of the messages so far."""
        return [message["type"] if isinstance(message, dict) else "binary" for message in self.messages]

    def close(self) -> None:
        """Close the socket."""
        self._connection.shutdown(socket.SHUT_RDWR)

    def has(self, kind: str, data: dict[str, Any]) -> bool:
        """Return whether a message of a type with these data has come."""
        return any(
            isinstance(message, dict) and message["type"] == kind and data.items() <= message["data"].items()
            for message in self.messages
        )

    def _read(self) -> None:
        text = ""
        while True:
            try:
                received = self._connection.recv(65536)
            except OSError:
                received = b""
            self._protocol.receive_data(received or None)
            for event in self._protocol.events():
                if isinstance(event, TextMessage):
                    text += event.data
                    if event.message_finished:
                        self._add(json.loads(text))
                        text = ""
                elif isinstance(event, BytesMessage):
                    self._add(bytes(event.data))
                elif isinstance(event, CloseConnection):
                    received = b""
            if not received:
                with self._changed:
                    self.closed = True
                    self._changed.notify_all()
                return

    def _add(self, message: dict[str, Any] | bytes) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()


@contextmanager
def listening(url: str, client: str) -> Iterator[Socket]:
    """Open a websocket with a client id, wait for its greeting, and close it at the end."""
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 80)) as connection:
        opened = Socket(connection)
        opened.open(f"{address.host}:{address.port}", f"/ws?clientId={client}")
        opened.wait_for("status")
        yield opened
