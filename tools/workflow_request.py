"""Turn requests for other ComfyUI services into requests for this API: `python -m tools.workflow_request`.

It reads requests of worker-comfyui (RunPod), of AWS's Guidance, and of ComfyUI itself (`POST /prompt`), or a
workflow alone. What has no counterpart here is left out; a line on standard error says what to do instead.
"""

import copy
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final

import typer

from domain.limits import MAX_START_SECONDS
from runtimes.comfyui.catalogue import load
from runtimes.comfyui.node_values import RANDOM, SEEDS

Json = dict[str, Any]

TASK_TYPE: Final = "pipeline"
DEFAULT_PREFIX: Final = "output"
MILLISECONDS_PER_SECOND: Final = 1000
IMAGES_INPUTS: Final = {"name", "image"}

NO_COUNTERPART: Final = {
    "api_key_comfy_org": "nodes that call paid services are not run here",
    "comfy_org_api_key": "nodes that call paid services are not run here",
    "s3Config": "outputs are stored in the deployment's bucket",
    "client_id": "this service sets it",
    "prompt_id": "this service sets it; the task's id is in metadata",
    "number": "tasks run in the order of their queue; `metadata.group` shares the GPUs fairly",
    "front": "tasks run in the order of their queue; `metadata.group` shares the GPUs fairly",
    "id": "the task's id is given by --id",
}
"""Keys of other services' requests that are left out, and why."""

POLICIES: Final = {
    "executionTimeout": "the runtime limits the time of a job (inferenceTimeoutSeconds in config.yaml)",
    "lowPriority": "tasks run in the order of their queue; `metadata.group` shares the GPUs fairly",
}


class NotConverted(ValueError):
    """The request is not one that can be converted; the text says why."""


@dataclass(slots=True)
class Converted:
    """A request for this API, and what its caller should know about the difference."""

    metadata: Json
    content: Json = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def request(self) -> Json:
        """Return the body of `POST /v1alpha2`."""
        return {"task": {"metadata": self.metadata, "content": self.content}}


def convert(
    body: Any, *, task_id: str | None = None, runtime: str | None = None, prefix: str | None = None
) -> Converted:
    """Return the request for this API; raise NotConverted if the body is none that is known."""
    if not isinstance(body, dict):
        raise NotConverted("a JSON object is expected")
    body = copy.deepcopy(body)
    task = _object(body.get("task")) or body
    given: Json = {}
    if isinstance(task.get("metadata"), dict) and isinstance(task.get("content"), dict):
        given, body = task["metadata"], task["content"]
    known = {
        "id": task_id or given.get("id"),
        "runtime": runtime or given.get("runtime"),
        "tasktype": TASK_TYPE,
        "prefix": prefix or given.get("prefix") or DEFAULT_PREFIX,
    }
    if missing := [f"--{name}" for name in ("id", "runtime") if not known[name]]:
        raise NotConverted(f"{' and '.join(missing)} must be given, because the request does not name it")
    result = Converted(given | known)
    _read(body, result)
    _complete(result)
    return result


def _read(body: Json, result: Converted) -> None:
    """Read one of the shapes; what is beside the workflow becomes metadata, files and notes."""
    if "input" in body and not _is_node(body["input"]):
        _take_envelope(body, result)
        body = _object(json.loads(body["input"]) if isinstance(body["input"], str) else body["input"])
    if "prompt" in body and not _is_node(body["prompt"]):
        prompt = _object(body["prompt"])
        _take_comfyui(body, result)
    elif "workflow" in body and not _is_node(body["workflow"]):
        prompt = _object(body["workflow"])
        _note_left_out(body, ("workflow", "images"), result)
    else:
        prompt, body = body, {}
    if isinstance(prompt.get("nodes"), list):
        raise NotConverted("this is a workflow as ComfyUI's page saves it: use Export (API) there")
    if not prompt or not all(_is_node(node) for node in prompt.values()):
        raise NotConverted("there is no workflow in API format in this request")
    result.content["prompt"] = prompt
    _take_images(body.get("images") or [], result)


def _take_envelope(body: Json, result: Converted) -> None:
    """Read what RunPod's API has beside `input`."""
    if body.get("webhook"):
        result.metadata["webhook"] = body["webhook"]
        result.notes.append(
            "webhook: it gets another body, signed by the Standard Webhooks specification (docs/api.md)"
        )
    policy = _object(body.get("policy"))
    if policy.get("ttl"):
        seconds = max(1, int(policy["ttl"]) // MILLISECONDS_PER_SECOND)
        result.metadata["start_within_seconds"] = min(seconds, MAX_START_SECONDS)
        result.notes.append("policy.ttl: became start_within_seconds, which does not count a job that runs")
    result.notes += [
        f"policy.{name}: left out; {reason}" for name, reason in POLICIES.items() if name in policy
    ]
    _note_left_out(body, ("input", "webhook", "policy"), result)


def _take_comfyui(body: Json, result: Converted) -> None:
    """Read what this API, or ComfyUI's own `POST /prompt`, has beside `prompt`."""
    extra = _object(body.get("extra_data"))
    page = _object(extra.get("extra_pnginfo")).get("workflow")
    kept = {
        "workflow": body.get("workflow") or page,
        "files": body.get("files"),
        "outputs": body.get("outputs") or body.get("partial_execution_targets"),
    }
    result.content |= {name: value for name, value in kept.items() if value}
    taken = ("prompt", "images", "extra_data", "partial_execution_targets")
    _note_left_out(body, (*taken, *kept), result)
    _note_left_out(extra, ("extra_pnginfo",), result)


def _note_left_out(body: Json, taken: tuple[str, ...], result: Converted) -> None:
    for name in body:
        if name not in taken:
            result.notes.append(f"{name}: left out; {NO_COUNTERPART.get(name, 'it has no counterpart here')}")


def _take_images(images: Any, result: Converted) -> None:
    """Turn `images` into `files`; of two with one name the last one counts, as it does there."""
    files = result.content.setdefault("files", {}) if images else {}
    for index, image in enumerate(images):
        if not isinstance(image, dict) or not image.keys() >= IMAGES_INPUTS:
            raise NotConverted(f"images[{index}]: an object with `name` and `image` is expected")
        name = PurePosixPath(str(image["name"])).name
        if name != image["name"]:
            result.notes.append(f"images[{index}]: {image['name']} is named {name} here")
            _rename(result.content["prompt"], image["name"], name)
        if name in files:
            result.notes.append(f"images[{index}]: there are two named {name}; the last one counts")
        files[name] = image["image"]


def _rename(prompt: Json, before: str, after: str) -> None:
    for node in prompt.values():
        for name, value in node["inputs"].items():
            if value == before:
                node["inputs"][name] = after


def _complete(result: Converted) -> None:
    """Add seeds that are missing, and note what only this caller can add."""
    classes, files = load().classes, result.content.get("files", {})
    for node, one in result.content["prompt"].items():
        node_class = classes.get(one["class_type"])
        if node_class is None:
            result.notes.append(f"node {node}: {one['class_type']} must be in the runtime's nodes.allow")
            continue
        for name, kind in node_class.inputs.items():
            value = one["inputs"].get(name)
            if name in SEEDS and kind.required and value is None:
                one["inputs"][name] = RANDOM
                result.notes.append(f"node {node}: without a {name}, one is drawn")
            elif kind.media and value not in files and _is_a_name(value):
                text = f"node {node}: workers have no file {value}: add it to `files` as a link or base64"
                result.notes.append(text)


def _is_a_name(value: Any) -> bool:
    """Return whether a value is the name of a file, and neither a link nor base64."""
    return isinstance(value, str) and bool(PurePosixPath(value).suffix) and "://" not in value


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _is_node(value: Any) -> bool:
    return isinstance(value, dict) and "class_type" in value and isinstance(value.get("inputs"), dict)


def main(
    file: Annotated[Path | None, typer.Argument(help="The request. Default: standard input.")] = None,
    task_id: Annotated[str | None, typer.Option("--id", help="The id of the task.")] = None,
    runtime: Annotated[str | None, typer.Option(help="The runtime of this deployment.")] = None,
    prefix: Annotated[str | None, typer.Option(help="The folder of the outputs.")] = None,
) -> None:
    """Print the body of `POST /v1alpha2` for a request to worker-comfyui, AWS's Guidance or ComfyUI."""
    try:
        body = json.loads(file.read_text(encoding="utf-8") if file else sys.stdin.read())
        converted = convert(body, task_id=task_id, runtime=runtime, prefix=prefix)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(1) from None
    for note in converted.notes:
        sys.stderr.write(f"{note}\n")
    sys.stdout.write(json.dumps(converted.request, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    typer.run(main)
