"""The order of what happens when a job is sent to ComfyUI."""

import threading
from typing import Any, cast

from container.consumer.engines.comfyui.client import ComfyUi
from container.consumer.engines.comfyui.events import Events
from container.consumer.engines.comfyui.job import Jobs

ENTRY = {"status": {"status_str": "success"}}


class FakeServer:
    """Accepts a job, and has its history at once."""

    def __init__(self, steps: list[str]) -> None:
        self._steps = steps

    def submit(self, _body: bytes) -> tuple[int, bytes]:
        self._steps.append("submitted")
        return 200, b'{"node_errors": {}}'

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
