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
ANSWER_SECONDS: Final = 10
"""Routes respond in milliseconds, also while a job runs, because HTTP has a thread of its own."""

TRANSFER_SECONDS: Final = 60
"""For a whole file in or out on the same machine."""

AWAY_SECONDS: Final = 600
"""How long the preparation of a task waits for a server that is being started again."""

AGAIN_SECONDS: Final = 0.5
KEEPALIVE_SECONDS: Final = 5
QUEUES: Final = ("queue_running", "queue_pending")


class NoAnswer(RetryableError):
    """ComfyUI gave no response: it has ended, hangs, or is just being started again."""


class EngineEnded(NoAnswer):
    """Nothing listens at ComfyUI's address: it has ended, together with any job that it ran."""


class ComfyUi:
    """Client of one ComfyUI; can be used from several threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._quick = QuickConnection(url, seconds=ANSWER_SECONDS)
        self._http = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(keepalive_expiry=KEEPALIVE_SECONDS),
            trust_env=False,
        )

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return a response with any status; raise RetryableError if there is none."""
        try:
            return self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            kind = EngineEnded if isinstance(error, httpx.ConnectError) else NoAnswer
            text = f"ComfyUI did not answer: {type(error).__name__}."
            raise kind(ErrorCode.ENGINE_UNAVAILABLE, text) from None

    def _at_once(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request for which the GPU waits."""
        try:
            return self._quick.request(method, path, body)
        except (OSError, HTTPException) as error:
            kind = EngineEnded if isinstance(error, ConnectionRefusedError) else NoAnswer
            text = f"ComfyUI did not answer: {type(error).__name__}."
            raise kind(ErrorCode.ENGINE_UNAVAILABLE, text) from None

    def get(self, path: str) -> Any:
        """Return the JSON of a GET response; raise RetryableError unless it is 200."""
        answer = _ok(self.request("GET", path))
        try:
            return answer.json()
        except ValueError:
            raise _unexpected(answer) from None

    def post(self, path: str, body: Json) -> httpx.Response:
        """Return the response to a POST; raise RetryableError unless it is 200."""
        return _ok(self.request("POST", path, json=body))

    def submit(self, body: bytes) -> tuple[int, bytes]:
        """Send a prompt and return the response with whatever status."""
        return self._at_once("POST", "/prompt", body)

    def system(self) -> Json:
        """Return what the server says about itself and its devices."""
        found: Json = self.get("/system_stats")
        return found

    def history(self, job: str) -> Json | None:
        """Return the history of a job; None until it has ended, and if it never was."""
        path = f"/history/{job}"
        status, content = self._at_once("GET", path)
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
        answer = self.request("POST", f"/api/jobs/{job}/cancel", json={})
        if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):  # before 0.8
            self.post("/queue", {"delete": [job]})
            self.post("/interrupt", {"prompt_id": job})

    def is_cleared(self) -> bool:
        """Return whether the server has no jobs and no history; stop and delete what there is.

        These are leftovers of a worker that ended.
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
        """Return what the server says about a class of nodes; None if it has no such class."""
        found: Json | None = self.get(f"/object_info/{quote(class_type, safe='')}").get(class_type)
        return found

    def classes(self) -> list[str]:
        """Return the names of all classes of nodes, from a response of some megabytes."""
        return list(self.get("/object_info"))

    def models(self, folder: str) -> list[str]:
        """Return the models that the server lists in one of its folders."""
        answer = self.request("GET", f"/models/{quote(folder, safe='')}")
        return [] if answer.status_code == httpx.codes.NOT_FOUND else list(_ok(answer).json())

    def upload(self, name: str, data: bytes, media_type: str) -> str:
        """Store an input under a name and return the name by which nodes find it."""
        answer = self.request(
            "POST",
            "/upload/image",
            files={"image": (name, data, media_type)},
            data={"overwrite": "true"},
            timeout=TRANSFER_SECONDS,
        )
        if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            text = "An input is larger than ComfyUI's --max-upload-size."
            raise PermanentError(ErrorCode.INPUT_TOO_LARGE, text)
        stored = _ok(answer).json()
        if stored.get("subfolder"):
            raise _unexpected(answer)
        return str(stored["name"])

    def view(self, item: Json) -> bytes | None:
        """Return the bytes of a file that a node reported; None if there is no such file."""
        names = {name: str(item.get(name) or "") for name in ("filename", "subfolder", "type")}
        answer = self.request("GET", "/view", params=names, timeout=TRANSFER_SECONDS)
        if httpx.codes.BAD_REQUEST <= answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
            return None
        return _ok(answer).content


def wait_until(
    reached: Callable[[], bool], *, stop: threading.Event, seconds: float, poll_seconds: float = 0.1
) -> bool:
    """Wait until the server has reached a state; return False after `seconds`, or when `stop` is set."""
    deadline = time.monotonic() + seconds
    while not stop.is_set():
        try:
            if reached():
                return True
        except RetryableError:
            pass
        if time.monotonic() > deadline:
            return False
        stop.wait(poll_seconds)
    return False


def until_it_responds(call: Callable[[], T], stopped: Callable[[], bool]) -> T:
    """Return what a call returns; repeat it while the server is away, which costs the task no attempt."""
    deadline = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            return call()
        except NoAnswer:
            if stopped() or time.monotonic() > deadline:
                raise
        time.sleep(AGAIN_SECONDS)


def _ok(answer: httpx.Response) -> httpx.Response:
    if answer.status_code != httpx.codes.OK:
        raise _unexpected(answer)
    return answer


def _unexpected(answer: httpx.Response) -> RetryableError:
    return _unavailable(answer.status_code, answer.request.method, answer.request.url.path)


def _unavailable(status: int, method: str, path: str) -> RetryableError:
    text = f"ComfyUI answered {status} to {method} {path}."
    return RetryableError(ErrorCode.ENGINE_UNAVAILABLE, text)
