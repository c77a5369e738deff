"""The order of what happens when a job is sent to ComfyUI."""

import json
import threading
from typing import Any, cast

import pytest

from container.consumer.engines.comfyui.client import ComfyUi
from container.consumer.engines.comfyui.events import Events
from container.consumer.engines.comfyui.job import Jobs
from domain.errors import ErrorCode, RetryableError

ENTRY = {"status": {"status_str": "success"}}


class FakeServer:
    """Accepts a job under an id, and has its history at once."""

    def __init__(self, steps: list[str], *, job: str = "job") -> None:
        self._steps = steps
        self._job = job
        self._queue = {job: True}

    def submit(self, _body: bytes) -> tuple[int, bytes]:
        self._steps.append("submitted")
        return 200, json.dumps({"prompt_id": self._job, "node_errors": {}}).encode()

    def queued(self) -> dict[str, bool]:
        return self._queue

    def cancel(self, job: str) -> None:
        self._steps.append(f"cancelled {job}")
        self._queue.pop(job)

    def forget(self, job: str) -> None:
        self._steps.append(f"forgot {job}")

    def history(self, _job: str) -> dict[str, Any]:
        return ENTRY


class JobBegan(threading.Event):
    """An event that is set as soon as somebody waits for it, and that records the wait."""

    def __init__(self, steps: list[str]) -> None:
        super().__init__()
        self._steps = steps

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None, "a websocket may be deaf"
        self._steps.append("began")
        return True


def test_files_of_the_previous_job_are_not_read_before_the_next_job_has_begun() -> None:
    steps: list[str] = []
    events = Events("http://127.0.0.1:1", "client")
    events.began, events.ended = JobBegan(steps), threading.Event()
    jobs = Jobs(cast("ComfyUi", FakeServer(steps)), events, timeout_seconds=60)

    entry = jobs.run("job", b"", lambda: steps.append("files may be read"), frozenset())

    assert entry == ENTRY
    assert steps == ["submitted", "began", "files may be read"]


def test_a_job_that_an_old_comfyui_runs_under_another_id_is_stopped_and_the_error_says_what_to_do() -> None:
    steps: list[str] = []
    server = FakeServer(steps, job="its-own")
    jobs = Jobs(cast("ComfyUi", server), Events("http://127.0.0.1:1", "client"), timeout_seconds=60)

    with pytest.raises(RetryableError, match=r"use version 0\.3\.64 or newer") as raised:
        jobs.run("job", b"", lambda: steps.append("sent"), frozenset())

    assert raised.value.code is ErrorCode.ENGINE_UNAVAILABLE
    assert steps == ["submitted", "cancelled its-own", "forgot its-own"]
