"""Make a checked task ready for ComfyUI: its nodes, its models and its files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from adapters.public_http.errors import InputError, InputsStopped
from container.consumer.engines.base import Interrupted
from container.consumer.engines.comfyui.answer import Asked
from container.consumer.engines.comfyui.faults import Inputs
from container.consumer.engines.comfyui.job_files import JobFiles
from container.consumer.engines.comfyui.models import Models, Needed
from container.consumer.engines.comfyui.node_classes import NodeClass, NodeClasses
from container.consumer.engines.comfyui.png_texts import texts_of
from container.consumer.engines.comfyui.request import body_of, held, rewritten
from container.consumer.inputs.images import Sniffed
from container.consumer.inputs.task_inputs import TaskInputs
from domain.body import pointer
from domain.errors import ErrorCode
from domain.routing import Runtime
from domain.task import Task
from runtimes.base import RuntimeType
from runtimes.comfyui.needs import model_inputs
from runtimes.comfyui.options import Options
from runtimes.comfyui.workflow import links, reachable
from runtimes.media import AUDIO_NAMES, IMAGE_NAMES, VIDEO_NAMES

TAKEN: Final = {
    "image": f"an image ({IMAGE_NAMES})",
    "video": f"a video ({VIDEO_NAMES})",
    "audio": f"a sound ({AUDIO_NAMES})",
}


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
    files: JobFiles

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

    client: str
    classes: NodeClasses
    models: Models
    inputs: TaskInputs
    rules: RuntimeType
    runtime: Runtime
    new_files: Callable[[], JobFiles]

    def prepare(self, task: Task, stopped: Callable[[], bool]) -> Payload:
        """Check the task's nodes and models against ComfyUI's, upload its files, and encode the body."""
        files = self.new_files()
        try:
            return self._prepare(task, files, stopped)
        except BaseException:
            files.remove()
            raise

    def _prepare(self, task: Task, files: JobFiles, stopped: Callable[[], bool]) -> Payload:
        content = task.content
        prompt = content["prompt"]
        classes = self.classes.of(prompt, Options.of(self.runtime).catalogue)
        _check(stopped)
        models = self.models.ensure(
            self.rules.models(content, self.runtime), partial(self.classes.choices, prompt)
        )
        _check(stopped)
        uploaded = self._upload(task, classes, files, stopped)
        chosen = list(content.get("outputs") or ())
        wanted = chosen or [node for node in prompt if classes[node].is_output]
        nonce = files.nonce
        body = body_of(
            held(rewritten(prompt, classes, uploaded, nonce), self.runtime, set(uploaded.values()), nonce),
            job=files.job,
            client=self.client,
            outputs=chosen or None,
        )
        asked = Asked(
            job=files.job,
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
            files=files,
        )

    def _upload(
        self, task: Task, classes: Mapping[str, NodeClass], files: JobFiles, stopped: Callable[[], bool]
    ) -> dict[str, str]:
        try:
            inputs = self.inputs.fetch(self.rules.inputs(task.tasktype, task.content), stopped)
        except InputsStopped:
            raise Interrupted from None
        _check(stopped)
        names = list(task.content.get("files") or ())
        _check_kinds(
            task.content["prompt"],
            classes,
            {name: inputs[f"/files/{pointer(name)}"].file_type for name in names},
        )
        return files.upload_all(inputs, names)


def _check_kinds(
    prompt: Mapping[str, Any], classes: Mapping[str, NodeClass], files: Mapping[str, Sniffed]
) -> None:
    """Raise InputError if a node is to read a file of another kind than it takes.

    A node for sounds also takes a video, of which it reads the sound.
    """
    for node, one in prompt.items():
        for name, kind in classes[node].files.items():
            value = one["inputs"].get(name)
            found = files.get(value) if isinstance(value, str) else None
            if found is None or kind == found.kind or (kind == "audio" and found.kind == "video"):
                continue
            taken = TAKEN.get(kind, "a file that this service does not upload")
            text = f"node {node} ({one['class_type']}) takes {taken}, but the file is {found.format}."
            code = ErrorCode.INPUT_NOT_AN_IMAGE if kind == "image" else ErrorCode.INPUT_WRONG_TYPE
            raise InputError(code, text).at(f"/files/{pointer(value)}")


def _reading(prompt: Mapping[str, Any], classes: Mapping[str, NodeClass]) -> dict[str, str]:
    """Return the nodes that read files, with the kind of these; a video is only decoded by the next node."""
    found = {node: next(iter(one.files.values())) for node, one in classes.items() if one.files}
    videos = {node for node, kind in found.items() if kind == "video"}
    after = {link.node: "video" for link in links(prompt) if link.source in videos}
    return after | found


def _check(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise Interrupted
