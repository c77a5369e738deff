"""Make a checked task ready for ComfyUI: its nodes, its models and its files."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from adapters.public_http.errors import InputsStopped
from container.consumer.engines.base import Interrupted
from container.consumer.engines.comfyui.answer import Asked
from container.consumer.engines.comfyui.client import ComfyUi
from container.consumer.engines.comfyui.faults import Inputs
from container.consumer.engines.comfyui.models import Models, Needed
from container.consumer.engines.comfyui.node_classes import NodeClass, NodeClasses
from container.consumer.engines.comfyui.png_texts import texts_of
from container.consumer.engines.comfyui.request import body_of, held, rewritten
from container.consumer.engines.comfyui.uploads import Folders, Uploads, check_kinds, new_nonce
from container.consumer.inputs.task_inputs import TaskInputs
from domain.body import pointer
from domain.routing import Runtime
from domain.task import Task
from runtimes.base import RuntimeType
from runtimes.comfyui.needs import model_inputs
from runtimes.comfyui.options import Options
from runtimes.comfyui.workflow import links, reachable


@dataclass(slots=True, kw_only=True)
class Payload:
    """A job for ComfyUI."""

    asked: Asked
    body: bytes
    needed: set[str]
    """The nodes that run for the wanted outputs."""
    reading: Mapping[str, str]
    """The nodes that read the task's files, with the kind of these files."""
    naming: Inputs
    """The inputs that name models."""
    models: list[Needed]
    uploads: Uploads

    def models_of_nodes(self) -> dict[str, list[Needed]]:
        """Return the models that each node names, if it names any."""
        found: dict[str, list[Needed]] = {}
        for node, name in self.naming:
            value = self.asked.prompt[node]["inputs"][name]
            found.setdefault(node, []).extend(
                model for model in self.models if model.requirement.name == value
            )
        return found


@dataclass(slots=True, kw_only=True)
class Preparation:
    """Builds jobs; used while another job runs."""

    server: ComfyUi
    client: str
    classes: NodeClasses
    models: Models
    inputs: TaskInputs
    rules: RuntimeType
    runtime: Runtime
    folders: Folders

    def prepare(self, task: Task, stopped: Callable[[], bool]) -> Payload:
        """Check the task's nodes and models against ComfyUI's, upload its files, and encode the body."""
        content = task.content
        prompt = content["prompt"]
        classes = self.classes.of(prompt, Options.of(self.runtime).catalogue)
        _check(stopped)
        models = self.models.ensure(
            self.rules.models(content, self.runtime), partial(self.classes.choices, prompt)
        )
        _check(stopped)
        uploads = Uploads(self.folders)
        uploaded = self._upload(task, classes, uploads, stopped)
        chosen = list(content.get("outputs") or ())
        wanted = chosen or [node for node in prompt if classes[node].is_output]
        nonce, job = new_nonce(), str(uuid.uuid4())
        body = body_of(
            held(rewritten(prompt, classes, uploaded, nonce), self.runtime, set(uploaded.values()), nonce),
            job=job,
            client=self.client,
            outputs=chosen or None,
        )
        asked = Asked(
            job=job,
            prompt=prompt,
            wanted=wanted,
            chosen=bool(chosen),
            nonce=nonce,
            models=[one.receipt() for one in models],
            version="",
            texts=texts_of(content, self.runtime),
        )
        return Payload(
            asked=asked,
            body=body,
            needed=reachable(prompt, wanted),
            reading=_reading(prompt, classes),
            naming=model_inputs(prompt, Options.of(self.runtime).catalogue),
            models=models,
            uploads=uploads,
        )

    def _upload(
        self, task: Task, classes: Mapping[str, NodeClass], uploads: Uploads, stopped: Callable[[], bool]
    ) -> dict[str, str]:
        try:
            inputs = self.inputs.fetch(self.rules.inputs(task.tasktype, task.content), stopped)
        except InputsStopped:
            raise Interrupted from None
        _check(stopped)
        files = list(task.content.get("files") or ())
        check_kinds(
            task.content["prompt"],
            classes,
            {name: inputs[f"/files/{pointer(name)}"].file_type for name in files},
        )
        return uploads.add_all(self.server, inputs, files)


def _reading(prompt: Mapping[str, Any], classes: Mapping[str, NodeClass]) -> dict[str, str]:
    """Return the nodes that read files, with the kind of these; a video is only decoded by the next node."""
    found = {node: next(iter(one.files.values())) for node, one in classes.items() if one.files}
    videos = {node for node, kind in found.items() if kind == "video"}
    after = {link.node: "video" for link in links(prompt) if link.source in videos}
    return after | found


def _check(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise Interrupted
