"""The three shapes of a request's content, and the one shape that all other code reads."""

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
_UI_KEYS: Final = frozenset({"nodes", "links", "last_node_id"})
_UI: Final = (
    "this is a workflow as ComfyUI's page saves it; export it with Export (API) and send that file "
    "(the saved one may be sent beside it, as `workflow`)"
)
_SHAPE: Final = (
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


def read(content: dict[str, Any], found: Findings) -> Request:
    """Return the parts of a request in any of the three shapes."""
    if _is_ui(content):
        found.fault("", _UI)
        return Request()
    if "prompt" in content and not _is_node(content["prompt"]):
        return _ours(content, found)
    if "workflow" in content and not _is_node(content["workflow"]):
        return _with_images(content, found)
    if "input" in content and not _is_node(content["input"]):
        found.fault("/input", "send what is in `input` as the content itself, with `workflow` and `images`")
        return Request()
    request = Request(prompt_path="")
    request.prompt = _nodes(content, "", found)
    return request


def _ours(content: dict[str, Any], found: Findings) -> Request:
    _other_keys(content, KEYS, found)
    request = Request(outputs=content.get("outputs"), workflow=content.get("workflow"))
    request.prompt = _workflow(content["prompt"], "/prompt", found)
    files = content.get("files")
    if isinstance(files, dict):
        request.files = dict(files)
        request.file_paths = {name: f"/files/{pointer(name)}" for name in files}
    elif files is not None:
        found.fault("/files", "an object is expected: names with a link or base64 each")
    return request


def _with_images(content: dict[str, Any], found: Findings) -> Request:
    """Read the body of worker-comfyui: `workflow` in API format, and `images` with their names."""
    _other_keys(content, ("workflow", "images"), found)
    request = Request(prompt_path="/workflow")
    request.prompt = _workflow(content["workflow"], "/workflow", found)
    images = content.get("images")
    if images is not None and not isinstance(images, list):
        found.fault("/images", "a list of {name, image} is expected")
        return request
    for index, one in enumerate(images or ()):
        path = f"/images/{index}"
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            found.fault(path, "an object with the texts `name` and `image` is expected")
        elif one["name"] in request.files:
            found.fault(f"{path}/name", "two images have this name")
        else:
            request.files[one["name"]] = one.get("image")
            request.file_paths[one["name"]] = f"{path}/image"
    return request


def _other_keys(content: dict[str, Any], known: tuple[str, ...], found: Findings) -> None:
    for key in content:
        if key in REFUSED_KEYS:
            found.fault(f"/{pointer(key)}", REFUSED_KEYS[key])
        elif key not in known:
            found.fault(f"/{pointer(key)}", f"unknown field; the known fields are {', '.join(known)}")


def _workflow(value: Any, path: str, found: Findings) -> dict[str, Any]:
    if not isinstance(value, dict):
        found.fault(path, _SHAPE)
        return {}
    if _is_ui(value):
        found.fault(path, _UI)
        return {}
    return _nodes(value, path, found)


def _nodes(value: dict[str, Any], path: str, found: Findings) -> dict[str, Any]:
    """Return the nodes that have the form of one, with the keys that a node may have."""
    nodes = {}
    if not value:
        found.fault(path, _SHAPE)
    for node, one in value.items():
        here = f"{path}/{pointer(node)}"
        if not path and node in REFUSED_KEYS:
            found.fault(here, REFUSED_KEYS[node])
        elif not node or len(node) > MOST_ID_CHARACTERS or not node.isprintable():
            found.fault(here, f"an id has 1 to {MOST_ID_CHARACTERS} printable characters")
        elif not isinstance(one, dict):
            found.fault(here, f"a node with class_type and inputs is expected; {_SHAPE}")
        elif not isinstance(one.get("class_type"), str) or not one["class_type"]:
            found.fault(f"{here}/class_type", "the name of the node's class is expected")
        elif not isinstance(one.get("inputs"), dict):
            found.fault(f"{here}/inputs", "an object with the node's inputs is expected")
        else:
            nodes[node] = _kept(one, here, found)
    return nodes


def _kept(node: dict[str, Any], path: str, found: Findings) -> dict[str, Any]:
    """Return a node with the keys that pass: others can change what ComfyUI takes from its cache."""
    kept = {"class_type": node["class_type"], "inputs": dict(node["inputs"])}
    for key in node:
        if key not in ("class_type", "inputs", "_meta"):
            found.warn(f"{path}/{pointer(key)}", "ignored: a node has class_type, inputs and _meta.title")
    meta = node.get("_meta")
    title = meta.get("title") if isinstance(meta, dict) else None
    if isinstance(title, str):
        kept["_meta"] = {"title": title}
    return kept


def _is_ui(value: dict[str, Any]) -> bool:
    return len(_UI_KEYS & value.keys()) > 1 and isinstance(value.get("nodes"), list)


def _is_node(value: Any) -> bool:
    return isinstance(value, dict) and "class_type" in value and "inputs" in value
