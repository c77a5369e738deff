"""An engine on a fake ComfyUI, as a worker uses it, without AWS."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from container.consumer.engines.base import Result, RunHooks
from container.consumer.engines.comfyui.client import ComfyUi
from container.consumer.engines.comfyui.engine import ComfyUiEngine
from container.consumer.engines.comfyui.folders import Folders
from container.consumer.engines.comfyui.models import Models
from container.consumer.inputs.fetch import Fetched, check_file
from container.consumer.inputs.limits import Limits
from container.consumer.inputs.task_inputs import TaskInputs
from domain.limits import DEFAULT_LIMITS
from domain.routing import Runtime
from domain.task import Task
from local.fakes.comfyui.process import FakeComfyUi, running
from runtimes.comfyui.needs import ALIASES
from runtimes.comfyui.runtime_type import ComfyUi as Rules
from tests.support.comfyui import png

RUNTIME = Runtime("comfy", "comfyui", dynamic_model=True)
MEDIA = Limits(media_bytes=DEFAULT_LIMITS.media_bytes)
LINK = "https://images.example/cat.png"
VERSIONS = ("0.27.0", "0.3.64")


class Link:
    """Serves one file for every link."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def fetch(self, _link: str, _allowance: Any) -> Fetched:
        return Fetched(self.data, check_file(self.data, MEDIA))


class Worker:
    """An engine, and the calls that a worker makes of it for one task."""

    def __init__(
        self,
        fake: FakeComfyUi,
        root: Path,
        *,
        data: bytes = b"",
        timeout: float = 60,
        server: ComfyUi | None = None,
    ) -> None:
        self.server = server or ComfyUi(fake.url)
        self.fake = fake
        self.runtime = RUNTIME
        self.root = root
        self.progress: list[float] = []
        self.sent = threading.Event()
        self.engine = ComfyUiEngine(
            self.server,
            Models(self.server, None, None, ALIASES),
            TaskInputs(Link(data or png("blue")), inline=MEDIA),
            rules=Rules(),
            runtime=RUNTIME,
            folders=Folders(root),
            timeout_seconds=timeout,
        )
        assert self.engine.wait_ready(threading.Event(), 20)

    def prepare(self, prompt: dict[str, Any], **content: Any) -> Any:
        checked = Rules().validate("pipeline", {"prompt": prompt, **content}, self.runtime, DEFAULT_LIMITS)
        assert not checked.faults
        task = Task("t", "comfy", "pipeline", "out", None, checked.content, "v1alpha2")
        return self.engine.prepare(task, lambda: False)

    def start(self, request: Any) -> Callable[[], Result]:
        self.sent.clear()
        hooks = RunHooks(self.sent.set, self.progress.append, 1.0)
        return self.engine.run(request, self.engine.load(request), hooks)

    def run(self, prompt: dict[str, Any], **content: Any) -> Result:
        """Run a task and remove what it has left on the server, as a worker does at its end."""
        request = self.prepare(prompt, **content)
        try:
            return self.start(request)()
        finally:
            request.clean_up()

    def left_behind(self) -> list[str]:
        """Return the files of tasks that are still on the server's disk."""
        return [str(path) for kind in ("input", "output", "temp") for path in (self.root / kind).rglob("*.*")]


@contextmanager
def run_worker(root: Path, *, timeout: float = 60, data: bytes = b"", **settings: Any) -> Iterator[Worker]:
    folders = {name: root / name for name in ("input", "output", "temp")}
    with running(**{"step_seconds": 0.01, "load_seconds": 0.01} | folders | settings) as fake:
        yield Worker(fake, root, timeout=timeout, data=data)
