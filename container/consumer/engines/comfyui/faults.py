"""Whose fault an error of ComfyUI is, and what its caller may read about it.

Texts of ComfyUI contain paths, tracebacks, whole lists of models and texts of prompts. So messages consist of
the ids and classes of nodes, the kind of the error, and a first line without paths.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import httpx

from container.consumer.engines.base import AmbiguousError, ReplaceEngine
from domain.errors import ErrorCode, PermanentError, RetryableError, shortened

Json = dict[str, Any]

MAX_LINE: Final = 200
MAX_NODES: Final = 5

_OUT_OF_MEMORY: Final = re.compile(
    r"out of memory|OutOfMemory|can't allocate memory|not enough memory", re.IGNORECASE
)
_CUDA: Final = re.compile(r"CUDA error|device-side assert|CUBLAS_STATUS|cuDNN|HIP error", re.IGNORECASE)
_DAMAGED_MODEL: Final = re.compile(
    r"SafetensorError|PytorchStreamReader|UnpicklingError|Error while deserializing header"
    r"|header too large|incomplete metadata",
    re.IGNORECASE,
)
_UNSUITABLE_MODEL: Final = re.compile(
    r"Could not detect model type|does not contain a valid clip|clip input is invalid: None", re.IGNORECASE
)
"""Of a file that may serve other tasks well, by another loader or without its text encoder."""
_INPUT: Final = re.compile(r"^av\.error\.|UnidentifiedImageError|No (?:audio|video) stream found")
"""Of a node that reads a file; one that writes a file may raise them too."""
_DISK: Final = re.compile(r"\[Errno 28\]|No space left on device")
_SERVERS: Final = re.compile(r"No such file or directory|FileNotFoundError|OSError|Invalid \w+ file")
_PATH: Final = re.compile(r"(?:[A-Za-z]:)?[\\/][^\s'\"\])]*[\\/][^\s'\"\])]*")
_CLASSES_MISSING: Final = frozenset({"missing_node_type", "invalid_prompt"})
_NODE_ID: Final = re.compile(r"#([^']{1,64})'")

Inputs = frozenset[tuple[str, str]]
"""Inputs of a workflow: the id of a node and the name of its input each."""


class UnreadableFile(AmbiguousError):
    """ComfyUI says that it cannot read a file or folder; a custom node may say so of a caller's text."""


class DamagedModel(PermanentError):
    """A node could not read a model's file."""

    def __init__(self, message: str, *, node: str, response: Json) -> None:
        super().__init__(ErrorCode.MODEL_UNUSABLE, message, response=response)
        self.node = node


def refusal(status: int, content: bytes, models: Inputs) -> PermanentError | RetryableError:
    """Return the error for a response to `POST /prompt` other than 200.

    `models` are the inputs that name models.
    """
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        text = "The workflow is larger than ComfyUI's --max-upload-size."
        return PermanentError(ErrorCode.INVALID_CONTENT, text)
    if status != httpx.codes.BAD_REQUEST:
        text = f"ComfyUI answered {status} to a workflow."
        return RetryableError(ErrorCode.ENGINE_UNAVAILABLE, text)
    try:
        body = json.loads(content)
    except ValueError:
        body = {}
    error = body.get("error") if isinstance(body, dict) else None
    kind = str(error.get("type") if isinstance(error, dict) else "")
    if kind in _CLASSES_MISSING:
        found = _NODE_ID.search(str(error.get("details") if isinstance(error, dict) else ""))
        text = f"ComfyUI does not have the class of {f'node {found[1]}' if found else 'a node'}."
        return PermanentError(ErrorCode.NODE_NOT_FOUND, text)
    if nodes := _nodes(body):
        return rejected(nodes, models)
    return PermanentError(ErrorCode.WORKFLOW_REJECTED, f"ComfyUI refused the workflow: {_line(kind)}.")


def rejected(nodes: Mapping[str, Any], models: Inputs) -> PermanentError | RetryableError:
    """Return the error for the `node_errors` of a response, which may also come with the status 200."""
    missing: list[str] = []
    found: list[str] = []
    for node, report in nodes.items():
        class_type = str(report.get("class_type") or "")
        for one in report.get("errors") or ():
            kind, details = str(one.get("type") or ""), str(one.get("details") or "")
            name = str((one.get("extra_info") or {}).get("input_name") or "")
            if kind.startswith(("exception_during", "custom_validation")) and _SERVERS.search(details):
                # An input of this worker has vanished, or a folder of models.
                text = f"ComfyUI cannot read a file or folder of this worker (node {node}, {class_type})."
                return UnreadableFile(ErrorCode.ENGINE_UNAVAILABLE, text)
            where = f"node {node} ({class_type}){f', input {name}' if name else ''}: {_line(kind)}"
            found.append(where)
            if kind == "value_not_in_list" and (node, name) in models:
                missing.append(where)
    if missing and len(missing) == len(found):
        return PermanentError(ErrorCode.MODEL_NOT_FOUND, f"ComfyUI does not list a model: {_some(missing)}.")
    return PermanentError(ErrorCode.WORKFLOW_REJECTED, f"ComfyUI refused the workflow: {_some(found)}.")


def failure(entry: Json, reading: Mapping[str, str]) -> Exception:  # noqa: PLR0911 - one return for each kind of error
    """Return the error for a job that ended with an exception, by its entry in the history.

    `reading` are the nodes that read the task's files, with the kind of these files.
    """
    report = message(entry, "execution_error")
    if report is None:
        return AmbiguousError(ErrorCode.WORKFLOW_ERROR, "ComfyUI ended the job with an error and no reason.")
    node, class_type = str(report.get("node_id")), str(report.get("node_type"))
    kind = str(report.get("exception_type") or "")
    both = f"{kind}: {report.get('exception_message') or ''}"
    text = f"Node {node} ({class_type}) failed: {_line(both)}."
    kept = {"node": node, "class_type": class_type, "exception_type": kind}
    if _OUT_OF_MEMORY.search(both):
        return PermanentError(ErrorCode.OUT_OF_MEMORY, text, response=kept)
    if _CUDA.search(both):
        # Nothing that this process computes from now on can be trusted.
        return ReplaceEngine(text, ErrorCode.ENGINE_ERROR)
    if _DISK.search(both):
        return RetryableError(ErrorCode.ENGINE_UNAVAILABLE, text, response=kept)
    if _DAMAGED_MODEL.search(both):
        return DamagedModel(text, node=node, response=kept)
    if _UNSUITABLE_MODEL.search(both):
        return PermanentError(ErrorCode.MODEL_UNUSABLE, text, response=kept)
    if node in reading and _INPUT.search(both):
        code = ErrorCode.INPUT_NOT_AN_IMAGE if reading[node] == "image" else ErrorCode.INPUT_WRONG_TYPE
        return PermanentError(code, text, response=kept)
    return PermanentError(ErrorCode.WORKFLOW_ERROR, text, response=kept)


def message(entry: Json, kind: str) -> Json | None:
    """Return the data of a message of this type in an entry of the history."""
    for name, data in (entry.get("status") or {}).get("messages") or ():
        if name == kind:
            found: Json = data
            return found
    return None


def _nodes(body: Any) -> dict[str, Any]:
    found = body.get("node_errors") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def _line(text: str) -> str:
    """Return the first line of a text, without paths."""
    first = text.strip().partition("\n")[0]
    return shortened(_PATH.sub("(a path)", first), MAX_LINE).rstrip(". ")


def _some(texts: list[str]) -> str:
    more = len(texts) - MAX_NODES
    return "; ".join(texts[:MAX_NODES]) + (f"; and {more} more" if more > 0 else "")
