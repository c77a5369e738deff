"""Read the three shapes that a request's content may have into the one that all other code reads.

They are this API's own (`prompt`, `files`), the body of worker-comfyui (`workflow`, `images`), and a bare
workflow in ComfyUI's API format.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from domain.body import pointer
from runtimes.findings import Findings

KEYS: Final = ("prompt", "files", "outputs", "workflow")

REFUSED_KEYS: Final = {
    **dict.fromkeys(("client_id", "prompt_id", "number", "front"), "this service sets it; leave it out"),
    "extra_data": "leave it out; the UI's JSON for the images' metadata is sent as `workflow`",
    "extra_pnginfo": "leave it out; the UI's JSON for the images' metadata is sent as `workflow`",
    "partial_execution_targets": "send the ids of the wanted output nodes as `outputs`",
    "api_key_comfy_org": "nodes that call paid services are not run; leave it out",
    "comfy_org_api_key": "nodes that call paid services are not run; leave it out",
}
_PAGE_WORKFLOW_KEYS: Final = frozenset({"nodes", "links", "last_node_id"})
_PAGE_WORKFLOW_FAULT: Final = (
    "this is a workflow as ComfyUI's page saves it; export it with Export (API) and send that file "
    "(the saved one may be sent beside it, as `workflow`)"
)
_SHAPE_FAULT: Final = (
    "a workflow in API format is expected: an object of nodes by their ids, each with class_type and inputs; "
    "or an object with such a workflow in `prompt`"
)
MOST_ID_CHARACTERS: Final = 64


@dataclass(slots=True)
class Request:
    """A request's parts; the fields named `…_path` are JSON pointers of the request as it was sent."""

    prompt: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    outputs: Any = None
    workflow: Any = None
    prompt_path: str = "/prompt"
    file_paths: dict[str, str] = field(default_factory=dict)


def read(content: dict[str, Any], findings: Findings) -> Request:
    """Return the parts of a request in any of the three shapes, and report what is wrong with it."""
    if _is_page_workflow(content):
        findings.fault("", _PAGE_WORKFLOW_FAULT)
        return Request()
    if "prompt" in content and not _is_node(content["prompt"]):
        return _read_own_shape(content, findings)
    if "workflow" in content and not _is_node(content["workflow"]):
        return _read_worker_comfyui_shape(content, findings)
    if "input" in content and not _is_node(content["input"]):
        findings.fault(
            "/input", "send what is in `input` as the content itself, with `workflow` and `images`"
        )
        return Request()
    request = Request(prompt_path="")
    request.prompt = _read_nodes(content, "", findings)
    return request


def _read_own_shape(content: dict[str, Any], findings: Findings) -> Request:
    _check_keys(content, KEYS, findings)
    request = Request(outputs=content.get("outputs"), workflow=content.get("workflow"))
    request.prompt = _read_workflow(content["prompt"], "/prompt", findings)
    files = content.get("files")
    if isinstance(files, dict):
        request.files = dict(files)
        request.file_paths = {name: f"/files/{pointer(name)}" for name in files}
    elif files is not None:
        findings.fault("/files", "an object is expected: names with a link or base64 each")
    return request


def _read_worker_comfyui_shape(content: dict[str, Any], findings: Findings) -> Request:
    """Read the body of worker-comfyui: `workflow` in API format, and `images` with their names."""
    _check_keys(content, ("workflow", "images"), findings)
    request = Request(prompt_path="/workflow")
    request.prompt = _read_workflow(content["workflow"], "/workflow", findings)
    images = content.get("images")
    if images is not None and not isinstance(images, list):
        findings.fault("/images", "a list of {name, image} is expected")
        return request
    for index, image in enumerate(images or ()):
        path = f"/images/{index}"
        if not isinstance(image, dict) or not isinstance(image.get("name"), str):
            findings.fault(path, "an object with the texts `name` and `image` is expected")
        elif image["name"] in request.files:
            findings.fault(f"{path}/name", "two images have this name")
        else:
            request.files[image["name"]] = image.get("image")
            request.file_paths[image["name"]] = f"{path}/image"
    return request


def _check_keys(content: dict[str, Any], known_keys: tuple[str, ...], findings: Findings) -> None:
    for key in content:
        if key in REFUSED_KEYS:
            findings.fault(f"/{pointer(key)}", REFUSED_KEYS[key])
        elif key not in known_keys:
            findings.fault(f"/{pointer(key)}", f"unknown field; the known fields are {', '.join(known_keys)}")


def _read_workflow(value: Any, path: str, findings: Findings) -> dict[str, Any]:
    if not isinstance(value, dict):
        findings.fault(path, _SHAPE_FAULT)
        return {}
    if _is_page_workflow(value):
        findings.fault(path, _PAGE_WORKFLOW_FAULT)
        return {}
    return _read_nodes(value, path, findings)


def _read_nodes(value: dict[str, Any], path: str, findings: Findings) -> dict[str, Any]:
    """Return the valid nodes by their ids, and report the others."""
    nodes = {}
    if not value:
        findings.fault(path, _SHAPE_FAULT)
    for node_id, node in value.items():
        node_path = f"{path}/{pointer(node_id)}"
        if not path and node_id in REFUSED_KEYS:
            findings.fault(node_path, REFUSED_KEYS[node_id])
        elif not node_id or len(node_id) > MOST_ID_CHARACTERS or not node_id.isprintable():
            findings.fault(node_path, f"an id has 1 to {MOST_ID_CHARACTERS} printable characters")
        elif not isinstance(node, dict):
            findings.fault(node_path, f"a node with class_type and inputs is expected; {_SHAPE_FAULT}")
        elif not isinstance(node.get("class_type"), str) or not node["class_type"]:
            findings.fault(f"{node_path}/class_type", "the name of the node's class is expected")
        elif not isinstance(node.get("inputs"), dict):
            findings.fault(f"{node_path}/inputs", "an object with the node's inputs is expected")
        else:
            nodes[node_id] = _copy_node(node, node_path, findings)
    return nodes


def _copy_node(node: dict[str, Any], path: str, findings: Findings) -> dict[str, Any]:
    """Return a node with only the known keys, because others can change what ComfyUI takes from its cache."""
    copied = {"class_type": node["class_type"], "inputs": dict(node["inputs"])}
    for key in node:
        if key not in ("class_type", "inputs", "_meta"):
            findings.warn(f"{path}/{pointer(key)}", "ignored: a node has class_type, inputs and _meta.title")
    meta = node.get("_meta")
    title = meta.get("title") if isinstance(meta, dict) else None
    if isinstance(title, str):
        copied["_meta"] = {"title": title}
    return copied


def _is_page_workflow(value: dict[str, Any]) -> bool:
    return len(_PAGE_WORKFLOW_KEYS & value.keys()) > 1 and isinstance(value.get("nodes"), list)


def _is_node(value: Any) -> bool:
    return isinstance(value, dict) and "class_type" in value and "inputs" in value
