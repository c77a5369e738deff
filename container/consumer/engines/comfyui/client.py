"""Client of ComfyUI's HTTP API."""

import json
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx

from container.consumer.engines.comfyui.quick_connection import QuickConnection
from domain.errors import ErrorCode, PermanentError, RetryableError

Json = dict[str, Any]
T = TypeVar("T")

CONNECT_SECONDS: Final = 5
RESPONSE_SECONDS: Final = 10
"""Timeout of most routes, which respond in milliseconds even while a job runs."""

TRANSFER_SECONDS: Final = 60
"""Timeout for the upload or download of a whole file on the same machine."""

RESTART_SECONDS: Final = 600
"""How long the preparation of a task waits for a server that is being started again."""

RETRY_SECONDS: Final = 0.5
KEEPALIVE_SECONDS: Final = 5
QUEUES: Final = ("queue_running", "queue_pending")


class NoAnswer(RetryableError):
    """ComfyUI gave no response: it has ended, hangs, or is just being started again."""


class EngineEnded(NoAnswer):
    """Nothing listens at ComfyUI's address: it has ended, together with any job that it ran."""


class FileTooLarge(Exception):
    """A file has more bytes than may be read of it."""


class ComfyUi:
    """Client of one ComfyUI; can be used from several threads."""

    def __init__(self, url: str, *, response_seconds: float = RESPONSE_SECONDS) -> None:
        self.url = url
        self._quick = QuickConnection(url, seconds=response_seconds)
        self._http = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(response_seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(keepalive_expiry=KEEPALIVE_SECONDS),
            trust_env=False,
        )

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and return the response with any status; raise RetryableError if there is none."""
        try:
            return self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise _no_answer(error) from None

    def _request_quickly(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request over the connection with the least delay, because the GPU waits for it."""
        try:
            return self._quick.request(method, path, body)
        except (OSError, HTTPException) as error:
            error_class = EngineEnded if isinstance(error, ConnectionRefusedError) else NoAnswer
            text = f"ComfyUI did not answer: {type(error).__name__}."
            raise error_class(ErrorCode.ENGINE_UNAVAILABLE, text) from None

    def get(self, path: str) -> Any:
        """Return the JSON of a GET response; raise RetryableError unless it is 200."""
        return _json(self.request("GET", path))

    def post(self, path: str, body: Json) -> httpx.Response:
        """Return the response to a POST; raise RetryableError unless it is 200."""
        return _ok(self.request("POST", path, json=body))

    def submit(self, body: bytes) -> tuple[int, bytes]:
        """Send a prompt and return the response with whatever status."""
        return self._request_quickly("POST", "/prompt", body)

    def system(self) -> Json:
        """Return the server's description of itself and its devices."""
        stats: Json = self.get("/system_stats")
        return stats

    def history(self, job: str) -> Json | None:
        """Return the history of a job; None until it has ended, and if it never was."""
        path = f"/history/{job}"
        status, content = self._request_quickly("GET", path)
        if status != httpx.codes.OK:
            raise _unavailable(status, "GET", path)
        entry: Json | None = json.loads(content).get(job)
        return entry

    def forget(self, job: str) -> None:
        """Delete a job's history, which holds its whole prompt."""
        self.post("/history", {"delete": [job]})

    def queued(self) -> dict[str, bool]:
        """Return the jobs in the queue, each with whether it runs."""
        queue = self.get("/queue")
        return {entry[1]: name == QUEUES[0] for name in QUEUES for entry in queue[name]}

    def remaining(self) -> int:
        """Return how many jobs wait or run."""
        return int(self.get("/prompt")["exec_info"]["queue_remaining"])

    def cancel(self, job: str) -> None:
        """Ask a job to stop, whether it waits or runs; a request may be lost, so it has to be repeated."""
        response = self.request("POST", f"/api/jobs/{job}/cancel", json={})
        if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):  # before 0.8
            self.post("/queue", {"delete": [job]})
            self.post("/interrupt", {"prompt_id": job})

    def is_cleared(self) -> bool:
        """Return whether the server has no jobs and no history; stop and delete what there is.

        They belong to a worker that has ended.
        """
        if self.remaining():
            self.post("/queue", {"clear": True})
            self.post("/interrupt", {})
            return False
        self.post("/history", {"clear": True})
        return True

    def free(self) -> None:
        """Make the server unload its models and forget the results of nodes."""
        self.post("/free", {"unload_models": True, "free_memory": True})

    def describe(self, class_type: str) -> Json | None:
        """Return the server's description of a class of nodes; None if it has no such class."""
        description: Json | None = self.get(f"/object_info/{quote(class_type, safe='')}").get(class_type)
        return description

    def classes(self) -> list[str]:
        """Return the names of all classes of nodes, from a response of some megabytes."""
        return list(self.get("/object_info"))

    def models(self, folder: str) -> list[str]:
        """Return the models that the server lists in one of its folders."""
        response = self.request("GET", f"/models/{quote(folder, safe='')}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return []
        listed = _json(response)
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise _unexpected(response)
        return listed

    def upload(self, name: str, data: bytes, media_type: str) -> str:
        """Store an input under a name and return the name by which nodes find it."""
        response = self.request(
            "POST",
            "/upload/image",
            files={"image": (name, data, media_type)},
            data={"overwrite": "true"},
            timeout=TRANSFER_SECONDS,
        )
        if response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            text = "An input is larger than ComfyUI's --max-upload-size."
            raise PermanentError(ErrorCode.INPUT_TOO_LARGE, text)
        stored = _json(response)
        if not isinstance(stored, dict) or "name" not in stored or stored.get("subfolder"):
            raise _unexpected(response)
        return str(stored["name"])

    def view(self, item: Json, max_bytes: int) -> bytes | None:
        """Return the bytes of a file that a node reported; None if there is no such file.

        Raise FileTooLarge as soon as there are more bytes than `max_bytes`.
        """
        names = {name: str(item.get(name) or "") for name in ("filename", "subfolder", "type")}
        try:
            with self._http.stream("GET", "/view", params=names, timeout=TRANSFER_SECONDS) as response:
                if httpx.codes.BAD_REQUEST <= response.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return None
                return _read(_ok(response), max_bytes)
        except httpx.HTTPError as error:
            raise _no_answer(error) from None


def wait_until(
    is_reached: Callable[[], bool], *, stop: threading.Event, seconds: float, poll_seconds: float = 0.1
) -> bool:
    """Wait until the server has reached a state; return False after `seconds`, or when `stop` is set."""
    deadline = time.monotonic() + seconds
    while not stop.is_set():
        try:
            if is_reached():
                return True
        except RetryableError:
            pass
        if time.monotonic() > deadline:
            return False
        stop.wait(poll_seconds)
    return False


def until_it_responds(call: Callable[[], T], stopped: Callable[[], bool]) -> T:
    """Return what a call returns; repeat it while the server restarts, which costs the task no attempt."""
    deadline = time.monotonic() + RESTART_SECONDS
    while True:
        try:
            return call()
        except NoAnswer:
            if stopped() or time.monotonic() > deadline:
                raise
        time.sleep(RETRY_SECONDS)


def _read(response: httpx.Response, max_bytes: int) -> bytes:
    chunks, size = [], 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > max_bytes:
            raise FileTooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def _no_answer(error: httpx.HTTPError) -> NoAnswer:
    error_class = EngineEnded if isinstance(error, httpx.ConnectError) else NoAnswer
    text = f"ComfyUI did not answer: {type(error).__name__}."
    return error_class(ErrorCode.ENGINE_UNAVAILABLE, text)


def _ok(response: httpx.Response) -> httpx.Response:
    if response.status_code != httpx.codes.OK:
        raise _unexpected(response)
    return response


def _json(response: httpx.Response) -> Any:
    """Return a response's JSON; raise RetryableError unless its status is 200 and it has one."""
    try:
        return _ok(response).json()
    except ValueError:
        raise _unexpected(response) from None


def _unexpected(response: httpx.Response) -> RetryableError:
    return _unavailable(response.status_code, response.request.method, response.request.url.path)


def _unavailable(status: int, method: str, path: str) -> RetryableError:
    text = f"ComfyUI answered {status} to {method} {path}."
    return RetryableError(ErrorCode.ENGINE_UNAVAILABLE, text)
