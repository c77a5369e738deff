"""Responses of POST /prompt other than a plain 200, which can be injected for any workflow."""

from typing import Any, Final

from local.fakes.comfyui.errors import error

PARTLY: Final = "partly"

REFUSALS: Final = {
    "missing-node": "400: the class of a node does not exist",
    "no-outputs": "400: the workflow has no output node",
    "missing-input": "400: an input of a node is missing",
    "model-not-listed": "400: a loader's model is in no folder",
    "input-vanished": "400: an uploaded input is no longer there",
    "folder-gone": "400: a folder of models was removed, so no workflow with a loader is accepted",
    PARTLY: "200, although one of the output nodes is not run",
    "too-large": "413: the body is larger than --max-upload-size",
    "forbidden": "403: the request seems to come from a web page",
    "internal": "500: nothing is queued",
}

RefusalResponse = tuple[int, dict[str, Any] | str]

RESPONSES_WITHOUT_NODES: Final = {
    "too-large": (413, "Maximum request body size 104857600 exceeded."),
    "forbidden": (403, ""),
    "internal": (500, "500 Internal Server Error\n\nServer got itself in trouble"),
}


def refusal_response(kind: str, prompt: dict[str, Any], *, old: bool) -> RefusalResponse:
    """Return the status and the body of a refusal for a workflow, as recorded."""
    if kind in RESPONSES_WITHOUT_NODES:
        return RESPONSES_WITHOUT_NODES[kind]
    if kind == "no-outputs":
        return _body(error("prompt_no_outputs", "Prompt has no outputs"))
    if kind == "missing-node":
        return _body(_missing_node(prompt, old=old))
    status, body = _body(error("prompt_outputs_failed_validation", "Prompt outputs failed validation"))
    body["node_errors"] = node_errors(kind, prompt)
    return status, body


def _missing_node(prompt: dict[str, Any], *, old: bool) -> dict[str, Any]:
    node = next(iter(prompt))
    details = f"Node ID '#{node}'"
    name = prompt[node]["class_type"]
    if old:
        return error("invalid_prompt", f"Cannot execute because node {name} does not exist.", details)
    text = f"Node '{name}' not found. The custom node may not be installed."
    facts = {"node_id": node, "class_type": name, "node_title": name}
    return error("missing_node_type", text, details, **facts)


def node_errors(kind: str, prompt: dict[str, Any]) -> dict[str, Any]:
    """Return what is wrong with one node of a workflow."""
    class_parts = {"model-not-listed": "Loader", "folder-gone": "Loader", "input-vanished": "LoadImage"}
    class_part = class_parts.get(kind, "SaveImage")
    node = next(name for name in prompt if class_part in prompt[name]["class_type"])
    inputs = prompt[node]["inputs"]
    name = next(iter(inputs))
    path = "/opt/comfyui/base/output/checkpoints"
    node_error = {
        "model-not-listed": error(
            "value_not_in_list",
            "Value not in list",
            f"{name}: '{inputs[name]}' not in ['other.safetensors']",
            input_name=name,
            input_config=[["other.safetensors"], {}],
            received_value=inputs[name],
        ),
        "folder-gone": error(
            "exception_during_inner_validation",
            "Exception when validating inner node",
            f"[Errno 2] No such file or directory: '{path}'",
            exception_message=f"[Errno 2] No such file or directory: '{path}'",
            exception_type="FileNotFoundError",
        ),
        "input-vanished": error(
            "custom_validation_failed",
            "Custom validation failed for node",
            f"{name} - Invalid image file: {inputs[name]}",
            input_name=name,
        ),
    }.get(kind) or error("required_input_missing", "Required input is missing", name, input_name=name)
    return {
        node: {"errors": [node_error], "dependent_outputs": [node], "class_type": prompt[node]["class_type"]}
    }


def _body(refusal: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 400, {"error": refusal, "node_errors": {}}
