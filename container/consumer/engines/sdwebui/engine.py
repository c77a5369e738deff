"""The engine of runtimes with SD Web UI (AUTOMATIC1111, Forge)."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from adapters.public_http.errors import InputsStopped
from container.consumer.engines.base import (
    AmbiguousError,
    Interrupted,
    Loaded,
    Request,
    Result,
    RunHooks,
    Verdict,
)
from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.client import READY_PATH, WebUi
from container.consumer.engines.sdwebui.health import Health
from container.consumer.engines.sdwebui.inline_images import replace_links
from container.consumer.engines.sdwebui.interrupt_watch import InterruptWatch
from container.consumer.engines.sdwebui.models.selection import Selection
from container.consumer.engines.sdwebui.models.switch import ModelManager
from container.consumer.engines.sdwebui.name_resolution import TABS, resolve_names
from container.consumer.engines.sdwebui.report import listed_names
from container.consumer.engines.sdwebui.request import PATHS, request_body
from container.consumer.engines.sdwebui.response import read_result
from container.consumer.engines.sdwebui.response_errors import EngineUnhealthy
from container.consumer.engines.sdwebui.result_check import expected_sampler
from container.consumer.engines.sdwebui.styles import NO_STYLES, BucketStyles
from container.consumer.engines.sdwebui.warm_up import WarmUp
from container.consumer.engines.sdwebui.wildcards import expected_wildcards
from container.consumer.inputs.task_inputs import TaskInputs
from domain import metrics
from domain.errors import ErrorCode, PermanentError, RetryableError
from domain.limits import DEFAULT_LIMITS, Limits
from domain.metrics import Metric
from domain.task import Task
from runtimes.base import EngineNames
from runtimes.sdwebui.inputs import input_references
from runtimes.sdwebui.task_type import TaskType

BYTES_PER_MEGABYTE: Final = 1e6


@dataclass(slots=True)
class Payload:
    """A job for SD Web UI: its request, and what its response must say."""

    tasktype: TaskType
    content: dict[str, Any]
    """The task's content, which also says what models to load and what the response must contain."""
    body: bytes
    """The body of the request; empty once it was taken, because it may contain many images."""
    sampler: str | None
    """The sampler that the response must name; None for any."""
    wildcards: tuple[str, ...] = ()
    """The wildcards that must not be left in the response's prompts."""

    def take_body(self) -> bytes:
        """Return the body and forget it, so that it can be freed while the job runs."""
        body, self.body = self.body, b""
        return body


class SdWebUi:
    """Runs jobs on one SD Web UI; implements `Engine`, which documents the methods."""

    def __init__(
        self,
        webui: WebUi,
        models: ModelManager,
        inputs: TaskInputs,
        limits: Limits = DEFAULT_LIMITS,
        styles: BucketStyles = NO_STYLES,
        *,
        has_checkpoint: bool = True,
    ) -> None:
        self._webui = webui
        self._models = models
        self._inputs = inputs
        self._limits = limits
        self._styles = styles
        self._catalogue = Catalogue(webui)
        self._health = Health(webui)
        self._interrupt_watch = InterruptWatch(webui)
        self._checkpoint: str | None = None
        # A dynamic runtime (tasks choose the checkpoint) has none before its first task, which must load it
        # anyway.
        self._warm_up = WarmUp(webui) if has_checkpoint else None

    def wait_ready(self, stop: threading.Event, seconds: float) -> bool:
        """Wait until SD Web UI responds and is idle."""
        if self._warm_up and not stop.is_set():
            self._warm_up.note_start()
        return self._webui.wait_ready(stop=stop, seconds=seconds) and self._webui.wait_idle(
            stop=stop, seconds=seconds
        )

    def warm_up(self, stop: threading.Event) -> None:
        """Run a small job if SD Web UI has just started with the runtime's checkpoint."""
        if self._warm_up:
            self._warm_up.run(stop)

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no job runs."""
        return self._webui.wait_idle(stop=threading.Event(), seconds=seconds)

    def prepare(self, task: Task, stopped: Callable[[], bool]) -> Request:
        """Check the task's names against SD Web UI's, fetch models and images, and encode the body."""
        tasktype = TaskType(task.tasktype)
        content, warnings = resolve_names(tasktype, task.content, self._catalogue, self._styles, self._limits)
        sampler = expected_sampler(content, self._catalogue) if tasktype.generates else None
        tab = TABS.get(tasktype)
        wildcards = expected_wildcards(content, self._catalogue, tab) if tab else ()
        _raise_if_stopped(stopped)
        content_to_send = self._models.ensure(content)
        _raise_if_stopped(stopped)
        try:
            inputs = self._inputs.fetch(input_references(content_to_send), stopped)
        except InputsStopped:
            raise Interrupted from None
        body = request_body(tasktype, replace_links(content_to_send, inputs, self._limits))
        return Request(Payload(tasktype, content, body, sampler, wildcards), warnings)

    def load(self, request: Request) -> Loaded:
        """Select the task's checkpoint and make SD Web UI list the other models."""
        payload: Payload = request.payload
        checkpoint = self._models.switch(payload.content) if payload.tasktype.generates else None
        is_switched = checkpoint is not None and checkpoint != self._checkpoint
        self._checkpoint = checkpoint or self._checkpoint
        return Loaded(checkpoint, is_switched)

    def run(self, request: Request, loaded: Loaded, hooks: RunHooks) -> Callable[[], Result]:
        """Run one job and return a function that reads its images and what was used."""
        payload: Payload = request.payload
        selection = self._models.selection

        def on_sent() -> None:
            hooks.sent()
            self._interrupt_watch.start(hooks)

        try:
            response = self._webui.run(
                PATHS[payload.tasktype],
                payload.take_body,
                on_sent=on_sent,
                on_response=self._interrupt_watch.response_began,
            )
        except BaseException:
            self._interrupt_watch.cancel()
            raise
        return partial(self._read, [response], payload, loaded, selection)

    def was_interrupted(self) -> bool:
        """Return whether anyone interrupted the last job, which can return an unfinished image with 200."""
        return self._interrupt_watch.was_interrupted()

    def interrupt(self) -> None:
        """Stop the running job at its next step."""
        self._webui.interrupt()

    def failed(self, error: Exception) -> None:
        """Remember a checkpoint that could not be loaded."""
        self._models.failed(error)

    def diagnose(self, error: Exception) -> Verdict:
        """Return what caused a job's error, running a minimal job if the error's text does not say."""
        if isinstance(error, EngineUnhealthy):
            return Verdict.BROKEN
        if isinstance(error, AmbiguousError) and not self._health.can_generate():
            return Verdict.BROKEN
        code = error.code if isinstance(error, RetryableError | PermanentError) else None
        return Verdict.UNREACHABLE if code is ErrorCode.ENGINE_UNAVAILABLE else Verdict.TASK

    def recover(self) -> bool:
        """Load another checkpoint and then the selected one again; return whether SD Web UI then works."""
        return self._health.recover()

    def prepare_shutdown(self) -> None:
        """Stop the running download of a model."""
        self._models.prepare_shutdown()

    def names(self) -> EngineNames:
        """Return what SD Web UI lists now: checkpoints, upscalers, samplers, styles, scripts and more."""
        return listed_names(self._webui, self._styles)

    def gauges(self) -> Mapping[Metric, float]:
        """Return SD Web UI's metrics of the GPU, or none if it has no GPU or does not respond."""
        try:
            response = self._webui.get(READY_PATH)
        except (RetryableError, PermanentError):
            return {}
        gpu = _object_at(_object_at(response, "cuda"), "system")
        gpu_bytes = {
            metrics.GPU_MEMORY_USED: gpu.get("used"),
            metrics.GPU_MEMORY_FREE: gpu.get("free"),
        }
        return {
            metric: value / BYTES_PER_MEGABYTE
            for metric, value in gpu_bytes.items()
            if isinstance(value, int | float)
        }

    def _read(
        self, response: list[bytes], payload: Payload, loaded: Loaded, selection: Selection | None
    ) -> Result:
        """Read a response, removing it from the list `response`, because it is as large as all its images."""
        try:
            return read_result(
                response.pop(),
                payload.tasktype,
                payload.content,
                checkpoint=loaded.model,
                sampler=payload.sampler,
                wildcards=payload.wildcards,
            )
        except PermanentError as error:
            if error.code is ErrorCode.WRONG_MODEL and selection and self._models.was_changed(selection):
                # Another client has selected a checkpoint since this worker did, which is not the task's
                # fault.
                raise AmbiguousError(error.code, error.message, response=error.response) from None
            raise


def _raise_if_stopped(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise Interrupted


def _object_at(value: Any, key: str) -> dict[str, Any]:
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}
