"""Run prompts node by node, and report their progress to the job's client."""

import json
import random
import struct
import time
from io import BytesIO
from typing import Any, Final

from PIL import Image

from local.fakes.comfyui.cache import ResultCache
from local.fakes.comfyui.catalogue import CLASSES, RUNS, is_output
from local.fakes.comfyui.errors import Interrupted, NodeFailed, type_name
from local.fakes.comfyui.events import Events
from local.fakes.comfyui.execution_context import Context, Interrupt, Result
from local.fakes.comfyui.faults import KINDS
from local.fakes.comfyui.folders import Folders
from local.fakes.comfyui.job_queue import Job
from local.fakes.comfyui.settings import Settings
from local.fakes.comfyui.stats import Stats
from local.fakes.faults import Fault

# Numbers in binary messages: the kind of message, and the format of the image.
PREVIEW, PREVIEW_WITH_METADATA, JPEG = 1, 4, 1
TEMP_LETTERS: Final = "abcdefghijklmnopqrstupvxyz"
OUT_OF_MEMORY: Final = "torch.OutOfMemoryError"
OUT_OF_MEMORY_TIPS: Final = (
    "This error means you ran out of memory on your GPU.\n\nTIPS: If the workflow worked before you might "
    "have accidentally set the batch_size to a large number."
)
RESULT_CHANGING_FAULTS: Final = {
    "wrong-model",
    "outside-name",
    "missing-file",
    "cut-file",
    "no-output",
    "bad-message",
}
"""Faults after which the results of a job are not kept, so that they end with the job."""


class JobRun:
    """The messages, the progress and the outputs of a running job."""

    def __init__(self, job: Job, events: Events, settings: Settings) -> None:
        self._job = job
        self._events = events
        self._settings = settings
        self.client = job.client
        self.messages: list[list[Any]] = []
        self.outputs: dict[str, Any] = {}
        self.progress: dict[str, dict[str, Any]] = {}
        self.node: str | None = None

    def send(self, kind: str, **data: Any) -> None:
        """Send a message to the job's client."""
        if self.client is not None:
            self._events.send(kind, {**data, "prompt_id": self._job.id}, self.client)

    def send_and_record(self, kind: str, *, to_all: bool = False, **data: Any) -> None:
        """Send a message that is also kept in the history."""
        data = {"prompt_id": self._job.id, **data, "timestamp": round(time.time() * 1000)}
        self.messages.append([kind, data])
        if self.client is not None or to_all:
            self._events.send(kind, data, self.client)

    def report_progress(self, node: str, value: float, maximum: float, state: str) -> None:
        """Report the progress of a node, together with all nodes begun so far."""
        ids = {"node_id": node, "prompt_id": self._job.id, "display_node_id": node}
        ids |= {"parent_node_id": None, "real_node_id": node}  # type: ignore[dict-item]
        self.progress[node] = {"value": value, "max": maximum, "state": state, **ids}
        self.send("progress_state", nodes=dict(self.progress))

    def report_step(self, node: str, value: float, maximum: float) -> None:
        """Report a step of a sampler, with a preview if previews are on."""
        self.report_progress(node, value, maximum, "running")
        self.send("progress", value=value, max=maximum, node=node)
        if self._settings.preview and self.client is not None:
            self._events.send_raw(self._preview_message(node), self.client)

    def _preview_message(self, node: str) -> bytes:
        content = BytesIO()
        Image.new("RGB", (64, 64), "grey").save(content, "JPEG")
        if self.client not in self._events.previews:
            return struct.pack(">II", PREVIEW, JPEG) + content.getvalue()
        ids = {"node_id": node, "prompt_id": self._job.id, "display_node_id": node}
        metadata = json.dumps(
            {**ids, "parent_node_id": None, "real_node_id": node, "image_type": "image/jpeg"}
        )
        head = struct.pack(">II", PREVIEW_WITH_METADATA, len(metadata))
        return head + metadata.encode() + content.getvalue()


class Executor:
    """Runs one job after the other, and keeps the results of nodes between them."""

    def __init__(
        self, settings: Settings, folders: Folders, cache: ResultCache, events: Events, stats: Stats
    ) -> None:
        self._settings = settings
        self._folders = folders
        self.cache = cache
        self._events = events
        self._stats = stats
        self.interrupt = Interrupt()
        self.node: str | None = None
        self._temp_prefixes: dict[str, str] = {}

    def run(self, job: Job, injected: dict[str, Fault]) -> dict[str, Any]:
        """Run a job and return its entry in the history."""
        run = JobRun(job, self._events, self._settings)
        run.send_and_record("execution_start")
        if job.cancelled:
            self.interrupt.event.set()
        order = self._execution_order(job, reverse="reversed-outputs" in injected)
        keys = self.cache.keys(job.prompt, job.outputs)
        cached = {name: result for name in keys if (result := self.cache.get(keys[name]))}
        run.send_and_record("execution_cached", nodes=list(cached))
        results = dict(cached)
        executed: list[str] = []
        has_failed = False
        for name in order:
            try:
                if name in cached:
                    self._report_cached(run, job, name, cached[name])
                    continue
                results[name] = self._run_node(run, job, name, results, injected)
            except Interrupted:
                self._record_interrupt(run, job, name, executed)
                has_failed = True
                break
            except Exception as failure:  # noqa: BLE001 -- ComfyUI catches all too
                self._record_failure(run, job, name, executed, failure)
                has_failed = True
                break
            if not executed:
                self.cache.keep_only(keys)
            executed.append(name)
            if not RESULT_CHANGING_FAULTS & injected.keys():
                self.cache.put(keys[name], results[name])
        self.node = None
        if not has_failed:
            run.send_and_record("execution_success")
        status = {"status_str": "error" if has_failed else "success", "completed": not has_failed}
        meta = {
            name: {"node_id": name, "display_node": name, "parent_node": None, "real_node_id": name}
            for name in run.outputs
        }
        return {
            "prompt": job.as_listed(),
            "outputs": run.outputs,
            "status": {**status, "messages": run.messages},
            "meta": meta,
        }

    def _run_node(
        self, run: JobRun, job: Job, name: str, results: dict[str, Result], injected: dict[str, Fault]
    ) -> Result:
        node = job.prompt[name]
        class_name = node["class_type"]
        run.report_progress(name, 0.0, 1.0, "running")
        self.node = name
        run.send("executing", node=name, display_node=name)
        self.interrupt.check()
        context = Context(
            settings=self._settings,
            folders=self._folders,
            interrupt=self.interrupt,
            injected=injected,
            prompt=job.prompt,
            extra_data=job.extra_data,
            temp_prefix=self._temp_prefix(name),
            report=lambda value, maximum: run.report_step(name, value, maximum),
            loaded=self._stats.loaded,
        )
        fault = injected.get("error")
        if fault is not None and fault.node == class_name:
            raise NodeFailed(*KINDS[fault.kind])
        result = RUNS[class_name](context, **_resolve_inputs(node, results))
        if is_output(class_name) and "no-output" in injected:
            result = Result(result.outputs)
        if is_output(class_name) and "bad-message" in injected:
            result = Result(result.outputs, {"thing": [context]})
        if result.ui:
            run.outputs[name] = result.ui
            run.send("executed", node=name, display_node=name, output=result.ui)
        maximum = run.progress[name]["max"]
        run.report_progress(name, maximum, maximum, "finished")
        return result

    def _report_cached(self, run: JobRun, job: Job, name: str, result: Result) -> None:
        """Report a kept output node again; without a client, version 0.27.0 leaves it out of the history."""
        if not result.ui:
            return
        if self._settings.old or run.client is not None:
            run.outputs[name] = result.ui
        run.send("executed", node=name, display_node=name, output=result.ui)
        run.report_progress(name, 1, 1, "finished")

    def _record_interrupt(self, run: JobRun, job: Job, name: str, executed: list[str]) -> None:
        class_name = job.prompt[name]["class_type"]
        run.send_and_record(
            "execution_interrupted", to_all=True, node_id=name, node_type=class_name, executed=executed
        )

    def _record_failure(
        self, run: JobRun, job: Job, name: str, executed: list[str], failure: Exception
    ) -> None:
        class_name = job.prompt[name]["class_type"]
        constants = {
            input_name: [value if isinstance(value, int | float | str | bool) else str(value)]
            for input_name, value in job.prompt[name]["inputs"].items()
        }
        tips = OUT_OF_MEMORY_TIPS if type_name(failure) == OUT_OF_MEMORY else ""
        run.send_and_record(
            "execution_error",
            node_id=name,
            node_type=class_name,
            executed=executed,
            exception_message=f"{failure}\n{tips}",
            exception_type=type_name(failure),
            traceback=['  File "/opt/comfyui/execution.py", line 542, in execute\n'],
            current_inputs=constants,
            current_outputs=executed,
        )

    def _execution_order(self, job: Job, *, reverse: bool) -> list[str]:
        """Return the nodes that the outputs need, each after those that it needs itself."""
        order: list[str] = []
        seen: set[str] = set()

        def visit(name: str) -> None:
            if name in seen:
                return
            seen.add(name)
            for value in reversed(job.prompt[name]["inputs"].values()):
                if isinstance(value, list):
                    visit(value[0])
            order.append(name)

        for name in sorted(job.outputs, reverse=reverse):
            visit(name)
        return order

    def _temp_prefix(self, name: str) -> str:
        """Return the random part in the names of a PreviewImage, which a node keeps."""
        letters = "".join(random.choice(TEMP_LETTERS) for _ in range(5))
        return self._temp_prefixes.setdefault(name, letters)


def _resolve_inputs(node: dict[str, Any], results: dict[str, Result]) -> dict[str, Any]:
    """Return the inputs that a class has, with links replaced by values; others are ignored, as recorded."""
    declared = {
        name
        for category in ("required", "optional")
        for name in CLASSES[node["class_type"]]["input"].get(category, {})
    }
    inputs = {}
    for name, value in node["inputs"].items():
        if name in declared:
            is_link = isinstance(value, list)
            inputs[name] = results[value[0]].outputs[value[1]] if is_link else value
    return inputs
