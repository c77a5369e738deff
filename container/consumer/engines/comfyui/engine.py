"""The engine of runtimes with ComfyUI."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from container.consumer.engines.base import (
    AmbiguousError,
    Interrupted,
    Loaded,
    Request,
    Result,
    RunHooks,
    Verdict,
)
from container.consumer.engines.comfyui.answer import Asked, read_result
from container.consumer.engines.comfyui.client import ComfyUi, EngineEnded, until_it_responds, wait_until
from container.consumer.engines.comfyui.events import Events
from container.consumer.engines.comfyui.faults import DamagedModel, UnreadableFile, failure, message
from container.consumer.engines.comfyui.folders import Folders
from container.consumer.engines.comfyui.job import Jobs
from container.consumer.engines.comfyui.job_files import JobFiles
from container.consumer.engines.comfyui.models import Models, Needed
from container.consumer.engines.comfyui.node_classes import NodeClasses
from container.consumer.engines.comfyui.preparation import Payload, Preparation
from container.consumer.engines.comfyui.progress import Progress, Speeds
from container.consumer.engines.comfyui.request import body_of
from container.consumer.engines.comfyui.warm_up import warm_up_prompt
from container.consumer.inputs.task_inputs import TaskInputs
from domain import metrics as m
from domain.errors import ErrorCode, PermanentError, RetryableError
from domain.metrics import Metric
from domain.routing import Runtime
from domain.task import Task
from runtimes.base import EngineNames, RuntimeType
from runtimes.comfyui.needs import NODE_CLASSES

log = logging.getLogger(__name__)

CHECKPOINTS: Final = "checkpoints"
BYTES_PER_MEGABYTE: Final = 1e6
WARM_UP_SECONDS: Final = 60.0


class ComfyUiEngine:
    """Runs workflows on one ComfyUI, of which it is the only client."""

    def __init__(
        self,
        server: ComfyUi,
        models: Models,
        inputs: TaskInputs,
        *,
        rules: RuntimeType,
        runtime: Runtime,
        folders: Folders,
        timeout_seconds: float,
    ) -> None:
        self._server = server
        self._models = models
        self._rules = rules
        self._runtime = runtime
        self._folders = folders
        self._client = str(uuid.uuid4())
        self._events = Events(server.url, self._client)
        self._jobs = Jobs(server, self._events, timeout_seconds=timeout_seconds)
        self._classes = NodeClasses(server)
        self._preparation = Preparation(
            client=self._client,
            classes=self._classes,
            models=models,
            inputs=inputs,
            rules=rules,
            runtime=runtime,
            new_files=self._new_files,
        )
        self._speeds = Speeds()
        self._version = ""
        self._affinity: str | None = None
        self._interrupted = False
        self._started = False
        self._last_models: Mapping[str, list[Needed]] = {}

    def wait_ready(self, stop: threading.Event, seconds: float) -> bool:
        """Wait until ComfyUI responds; then remove jobs and files that an earlier worker has left behind."""
        deadline = time.monotonic() + seconds
        if not wait_until(self._describes_itself, stop=stop, seconds=seconds):
            return False
        self._classes.forget()
        ready = wait_until(self._server.is_cleared, stop=stop, seconds=max(0.0, deadline - time.monotonic()))
        if ready:
            if not self._started:  # only now, because a running job of an earlier worker may write files
                self._folders.clean()
                self._started = True
            self._events.open()
        return ready

    def warm_up(self, stop: threading.Event) -> None:
        """Run a small job with the checkpoint of a static runtime."""
        name = self._runtime.model_filename
        if not name or stop.is_set():
            return
        try:
            if name not in self._server.models(CHECKPOINTS):
                return
            files = self._new_files()
            body = body_of(warm_up_prompt(name), job=files.job, client=self._client, outputs=None)
            try:
                with files.sending():
                    self._server.submit(body)
                wait_until(lambda: self._server.remaining() == 0, stop=stop, seconds=WARM_UP_SECONDS)
            finally:
                files.remove()
        except (RetryableError, PermanentError) as error:
            log.warning("the warm-up job failed", extra={"reason": error.message})

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no job runs, and stop one that has timed out; a ComfyUI that has ended runs none."""
        return wait_until(self._is_idle, stop=threading.Event(), seconds=seconds)

    def prepare(self, task: Task, stopped: Callable[[], bool]) -> Request:
        """Check the task's nodes and models against ComfyUI's, upload its files, and encode the body."""
        payload = until_it_responds(partial(self._preparation.prepare, task, stopped), stopped)
        return Request(payload, clean_up=payload.files.remove)

    def load(self, request: Request) -> Loaded:
        """Protect the task's models; nodes load them when they run."""
        payload: Payload = request.payload
        self._models.activate(payload.models)
        names = sorted(model.name for model in payload.models if model.requirement.folder == CHECKPOINTS)
        affinity = ", ".join(names) or self._runtime.model_filename
        switched = affinity is not None and affinity != self._affinity
        self._affinity = affinity or self._affinity
        return Loaded(affinity, switched)

    def run(self, request: Request, loaded: Loaded, hooks: RunHooks) -> Callable[[], Result]:
        """Run one job; its history decides what became of it, and its files are read by the function."""
        payload: Payload = request.payload
        asked = replace(payload.asked, version=self._version)
        self._interrupted = False
        self._last_models = payload.models_of_nodes()
        progress = Progress(asked.prompt, payload.needed, hooks.progressed, self._speeds)
        with payload.files.sending():
            self._events.begin(asked.job, progress)
            entry = self._jobs.run(asked.job, payload.body, hooks.sent, payload.naming)
        payload.files.history = entry
        if entry is None or message(entry, "execution_interrupted") is not None:
            self._interrupted = True
            return _nothing
        status = entry.get("status") or {}
        if status.get("status_str") != "success" or not status.get("completed"):
            raise failure(entry, payload.reading)
        return partial(self._read, entry, asked, loaded)

    def was_interrupted(self) -> bool:
        """Return whether the job that has just ended was interrupted."""
        return self._interrupted

    def interrupt(self) -> None:
        """Stop the running job at its next step, or delete it if it waits."""
        self._jobs.cancel()

    def failed(self, error: Exception) -> None:
        """Free the memory that a job did not fit into, or remember a model whose file cannot be read."""
        code = error.code if isinstance(error, RetryableError | PermanentError) else None
        if code is ErrorCode.OUT_OF_MEMORY:
            self._free()
        elif isinstance(error, DamagedModel):
            self._models.refuse(self._last_models.get(error.node, []), "ComfyUI cannot read it")

    def diagnose(self, error: Exception) -> Verdict:
        """Return whose fault a job's error is."""
        if isinstance(error, UnreadableFile):
            return Verdict.TASK if self._lists_models() else Verdict.BROKEN
        code = error.code if isinstance(error, RetryableError | PermanentError) else None
        return Verdict.UNREACHABLE if code is ErrorCode.ENGINE_UNAVAILABLE else Verdict.TASK

    def recover(self) -> bool:
        """Restore the folders of models; return whether ComfyUI can list them."""
        try:
            self._models.restore_folders()
        except OSError:
            return False
        return self._lists_models()

    def prepare_shutdown(self) -> None:
        """Stop the running download of a model."""
        self._models.prepare_shutdown()

    def names(self) -> EngineNames:
        """Return the models that ComfyUI lists, by its folders, and its classes of nodes."""
        return EngineNames(
            self._models.listed(self._rules.model_kinds), {NODE_CLASSES: self._classes.names()}
        )

    def gauges(self) -> Mapping[Metric, float]:
        """Return the memory of ComfyUI's GPU, or nothing if it does not respond."""
        try:
            devices = self._server.system().get("devices") or [{}]
        except RetryableError:
            return {}
        total, free = (float(devices[0].get(name) or 0) for name in ("vram_total", "vram_free"))
        found = {m.GPU_MEMORY_USED: total - free, m.GPU_MEMORY_FREE: free} if total else {}
        return {metric: value / BYTES_PER_MEGABYTE for metric, value in found.items()}

    def _read(self, entry: dict[str, Any], asked: Asked, loaded: Loaded) -> Result:
        try:
            result = read_result(self._server, entry, asked)
        except AmbiguousError:
            self._free()
            raise
        return replace(result, model=loaded.model)

    def _new_files(self) -> JobFiles:
        return JobFiles(self._server, self._folders)

    def _free(self) -> None:
        try:
            self._models.free()
        except RetryableError as error:
            log.warning("ComfyUI freed no memory", extra={"reason": error.message})

    def _lists_models(self) -> bool:
        """Return whether ComfyUI can list all models: without a folder of them, it refuses every workflow."""
        try:
            self._models.listed(self._rules.model_kinds)
        except RetryableError:
            return False
        return True

    def _describes_itself(self) -> bool:
        self._version = str((self._server.system().get("system") or {}).get("comfyui_version") or "")
        return True

    def _is_idle(self) -> bool:
        try:
            if self._server.remaining() == 0:
                return True
        except EngineEnded:
            return True
        self._jobs.cancel()  # again, because ComfyUI may lose one
        return False


def _nothing() -> Result:
    raise Interrupted
