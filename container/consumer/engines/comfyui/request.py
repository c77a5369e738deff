"""Turn a checked workflow into the prompt that ComfyUI gets.

ComfyUI takes the results of nodes from its cache if their inputs are the same, of output nodes too, and then
reports a file of an earlier job. A fresh value in an input that no node has prevents that, and leaves
samplers and loaders cached. Files are named by this worker alone: no workflow says where something is read
or written.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from container.consumer.engines.comfyui.node_classes import NodeClass
from domain.errors import ErrorCode, PermanentError
from domain.routing import Runtime
from runtimes.comfyui.guard import escapes
from runtimes.comfyui.options import Options

Json = dict[str, Any]

SHOWN_REASONS: Final = 3
NONCE_INPUT: Final = "sd_on_ecs"
SAFE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def rewritten(
    prompt: Mapping[str, Any], classes: Mapping[str, NodeClass], uploaded: Mapping[str, str], nonce: str
) -> Json:
    """Return the prompt with the server's names of files, our own output folder and fresh output nodes.

    `uploaded` has the server's name for each of the task's files. Raise PermanentError for an input that
    names any other file: it would be one of the server, of another task perhaps.
    """
    return {node: _node(node, one, classes[node], uploaded, nonce) for node, one in prompt.items()}


def _node(
    node: str, one: Mapping[str, Any], node_class: NodeClass, uploaded: Mapping[str, str], nonce: str
) -> Json:
    inputs = dict(one["inputs"])
    for name in node_class.files.keys() & inputs.keys():
        value = inputs[name]
        if not isinstance(value, str) or value not in uploaded:
            text = f"/prompt/{node}/inputs/{name}: it names no file of this task."
            raise PermanentError(ErrorCode.INVALID_CONTENT, text)
        inputs[name] = uploaded[value]
    for name in node_class.prefixes & inputs.keys():
        inputs[name] = f"{nonce}/{_safe(node)}"
    if node_class.is_output:
        inputs[NONCE_INPUT] = nonce
    title = (one.get("_meta") or {}).get("title")
    meta = {"_meta": {"title": title}} if isinstance(title, str) else {}
    return {"class_type": one["class_type"], "inputs": inputs, **meta}


def held(prompt: Json, runtime: Runtime, files: Collection[str], nonce: str) -> Json:
    """Return a rewritten prompt; raise PermanentError if it reads or writes others' files."""
    found = escapes(prompt, Options.of(runtime), files=files, folder=nonce)
    if reasons := [f"{fault.path}: {fault.message}" for fault in found]:
        raise PermanentError(ErrorCode.INVALID_CONTENT, "; ".join(reasons[:SHOWN_REASONS]))
    return prompt


def body_of(prompt: Json, *, job: str, client: str, outputs: list[str] | None) -> bytes:
    """Return the body of `POST /prompt`; `outputs` are the output nodes to run, None for all."""
    body: Json = {"prompt": prompt, "prompt_id": job, "client_id": client}
    if outputs:
        body["partial_execution_targets"] = outputs
    return json.dumps(body).encode()


def _safe(node: str) -> str:
    """Return an id of a node as it may stand in the name of a file."""
    return "".join(one if one in SAFE else "-" for one in node)[:64] or "node"
