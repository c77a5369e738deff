"""Run prompts node by node, and report them to the job's client."""

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

PREVIEW, PREVIEW_WITH_METADATA, JPEG = 1, 4, 1
TEMP_LETTERS: Final = "abcdefghijklmnopqrstupvxyz"
NO_MEMORY: Final = "torch.OutOfMemoryError"
TIPS: Final = (
    "This error means you ran out of memory on your GPU.\n\nTIPS: If the workflow worked before you might "
    "have accidentally set the batch_size to a large number."
)
CHANGED_BY: Final = {"wrong-model", "outside-name", "missing-file", "cut-file", "no-output", "bad-message"}
"""Faults after which the results of a job are not kept, so that they end with the job."""


class Run:
    """One job: its messages, its progress and its outputs."""

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

    def note(self, kind: str, *, to_all: bool = False, **data: Any) -> None:
        """Send a message that the history keeps too."""
        data = {"prompt_id": self._job.id, **data, "timestamp": round(time.time() * 1000)}
        self.messages.append([kind, data])
        if self.client is not None or to_all:
            self._events.send(kind, data, self.client)

    def advance(self, node: str, value: float, most: float, state: str) -> None:
        """Report the progress of a node, together with all nodes begun so far."""
        facts = {"node_id": node, "prompt_id": self._job.id, "display_node_id": node}
        facts |= {"parent_node_id": None, "real_node_id": node}  # type: ignore[dict-item]
        self.progress[node] = {"value": value, "max": most, "state": state, **facts}
        self.send("progress_state", nodes=dict(self.progress))

    def step(self, node: str, value: float, most: float) -> None:
        """Report a step of a sampler, with a preview if previews are on."""
        self.advance(node, value, most, "running")
        self.send("progress", value=value, max=most, node=node)
        if self._settings.preview and self.client is not None:
            self._events.send_raw(self._preview(node), self.client)

    def _preview(self, node: str) -> bytes:
        content = BytesIO()
        Image.new("RGB", (64, 64), "grey").save(content, "JPEG")
        if self.client not in self._events.previews:
            return struct.pack(">II", PREVIEW, JPEG) + content.getvalue()
        facts = {"node_id": node, "prompt_id": self._job.id, "display_node_id": node}
        metadata = json.dumps(
            {**facts, "parent_node_id": None, "real_node_id": node, "image_type": "image/jpeg"}
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
        run = Run(job, self._events, self._settings)
        run.note("execution_start")
        if job.cancelled:
            self.interrupt.event.set()
        order = self._order(job, reverse="reversed-outputs" in injected)
        keys = self.cache.keys(job.prompt, job.outputs)
        kept = {name: found for name in keys if (found := self.cache.get(keys[name]))}
        run.note("execution_cached", nodes=list(kept))
        results = dict(kept)
        executed: list[str] = []
        failed = False
        for name in order:
            try:
                if name in kept:
                    self._repeat(run, job, name, kept[name])
                    continue
                results[name] = self._node(run, job, name, results, injected)
            except Interrupted:
                self._note_interrupt(run, job, name, executed)
                failed = True
                break
            except Exception as failure:  # noqa: BLE001 -- ComfyUI catches all too
                self._note_failure(run, job, name, executed, failure)
                failed = True
                break
            if not executed:
                self.cache.keep_only(keys)
            executed.append(name)
            if not CHANGED_BY & injected.keys():
                self.cache.put(keys[name], results[name])
        self.node = None
        if not failed:
            run.note("execution_success")
        status = {"status_str": "error" if failed else "success", "completed": not failed}
        meta = {
            name: {"node_id": name, "display_node": name, "parent_node": None, "real_node_id": name}
            for name in run.outputs
        }
        return {
            "prompt": job.shown(),
            "outputs": run.outputs,
            "status": {**status, "messages": run.messages},
            "meta": meta,
        }

    def _node(
        self, run: Run, job: Job, name: str, results: dict[str, Result], injected: dict[str, Fault]
    ) -> Result:
        node = job.prompt[name]
        kind = node["class_type"]
        run.advance(name, 0.0, 1.0, "running")
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
            report=lambda value, most: run.step(name, value, most),
            loaded=self._stats.loaded,
        )
        fault = injected.get("error")
        if fault is not None and fault.node == kind:
            raise NodeFailed(*KINDS[fault.kind])
        result = RUNS[kind](context, **_resolved(node, results))
        if is_output(kind) and "no-output" in injected:
            result = Result(result.outputs)
        if is_output(kind) and "bad-message" in injected:
            result = Result(result.outputs, {"thing": [context]})
        if result.ui:
            run.outputs[name] = result.ui
            run.send("executed", node=name, display_node=name, output=result.ui)
        last = run.progress[name]
        run.advance(name, last["max"], last["max"], "finished")
        return result

    def _repeat(self, run: Run, job: Job, name: str, result: Result) -> None:
        """Report a kept output node again; without a client, version 0.27.0 leaves it out of the history."""
        if not result.ui:
            return
        if self._settings.old or run.client is not None:
            run.outputs[name] = result.ui
        run.send("executed", node=name, display_node=name, output=result.ui)
        run.advance(name, 1, 1, "finished")

    def _note_interrupt(self, run: Run, job: Job, name: str, executed: list[str]) -> None:
        kind = job.prompt[name]["class_type"]
        run.note("execution_interrupted", to_all=True, node_id=name, node_type=kind, executed=executed)

    def _note_failure(self, run: Run, job: Job, name: str, executed: list[str], failure: Exception) -> None:
        kind = job.prompt[name]["class_type"]
        constants = {
            one: [value if isinstance(value, int | float | str | bool) else str(value)]
            for one, value in job.prompt[name]["inputs"].items()
        }
        run.note(
            "execution_error",
            node_id=name,
            node_type=kind,
            executed=executed,
            exception_message=f"{failure}\n{TIPS if type_name(failure) == NO_MEMORY else ''}",
            exception_type=type_name(failure),
            traceback=['  File "/opt/comfyui/execution.py", line 542, in execute\n'],
            current_inputs=constants,
            current_outputs=executed,
        )

    def _order(self, job: Job, *, reverse: bool) -> list[str]:
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


def _resolved(node: dict[str, Any], results: dict[str, Result]) -> dict[str, Any]:
    """Return the inputs that a class has, with links replaced by values; others are ignored, as recorded."""
    known = {
        name
        for category in ("required", "optional")
        for name in CLASSES[node["class_type"]]["input"].get(category, {})
    }
    inputs = {}
    for name, value in node["inputs"].items():
        if name in known:
            linked = isinstance(value, list)
            inputs[name] = results[value[0]].outputs[value[1]] if linked else value
    return inputs
