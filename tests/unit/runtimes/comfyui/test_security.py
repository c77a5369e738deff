"""A workflow of ComfyUI cannot read or write anything but its own files, neither by names nor by texts."""

from typing import Any

import pytest

from domain.routing import Runtime
from runtimes.comfyui.guard import escapes
from runtimes.comfyui.options import Options
from runtimes.comfyui.policy import NEVER_ALLOWED, ONLY_IF_ALLOWED
from tests.support.workflows import DYNAMIC, PNG, checked, faults, image_to_image, text_to_image, with_input

OUTSIDE_NAMES = [
    "../../secret/s.png",
    "/etc/passwd",
    "a/b.png",
    "a\\b.png",
    "cat.png [output]",
    "cat.png [temp]",
    "cat.png [input]",
    "blake3:0123456789abcdef",
    "file:///etc/passwd",
    "ftp://example.com/cat.png",
    "https://",
    "https://user:password@example.com/cat.png",
    "cat.png",
    "",
]
PATHS_AND_ADDRESSES = [
    "/etc/passwd",
    "~/.aws/credentials",
    "../x",
    "a/../../x",
    "C:\\x",
    "\\\\host\\share",
    "https://169.254.169.254/latest",
    "file:/etc/passwd",
    "file:///etc/passwd",
    "s3://bucket/key",
    "embedding:../../x",
    "embedding:/etc/x",
    "a\0b",
]


@pytest.mark.parametrize("name", OUTSIDE_NAMES)
def test_a_node_reads_no_file_but_those_of_its_task(name: str) -> None:
    assert "/1/inputs/image" in faults(image_to_image(name))
    workflow = text_to_image()
    workflow["1"] = {"class_type": "LoadImageMask", "inputs": {"image": name, "channel": "red"}}
    assert "/1/inputs/image" in faults(workflow)


@pytest.mark.parametrize("name", [name for name in OUTSIDE_NAMES if "://" not in name and name != "cat.png"])
def test_a_file_of_a_task_has_no_name_of_another_place(name: str) -> None:
    assert faults({"prompt": image_to_image(name), "files": {name: PNG}})


@pytest.mark.parametrize("text", PATHS_AND_ADDRESSES)
def test_a_text_of_a_core_node_is_no_path_and_no_address(text: str) -> None:
    assert "/6/inputs/text" in faults(with_input("6", "text", text))


@pytest.mark.parametrize(
    "text", ["a cat, f/1.8", "wait... what/ever", "1/2", "a cat by embedding:fur", "a:b", "/ "]
)
def test_prompts_may_hold_what_paths_hold_too(text: str) -> None:
    assert faults(with_input("6", "text", text)) == {}


@pytest.mark.parametrize(
    "name",
    ["/x.safetensors", "../x.safetensors", "a/../../x", "a\\x", "~/x", "http://h/x", "a//b", "", "a\nb"],
)
def test_a_model_has_no_name_of_another_place(name: str) -> None:
    assert "/4/inputs/ckpt_name" in faults(with_input("4", "ckpt_name", name))


@pytest.mark.parametrize(("node", "name"), [("4", "ckpt_name"), ("1", "image")])
def test_names_of_models_and_files_cannot_come_from_another_node(node: str, name: str) -> None:
    workflow = image_to_image()
    workflow["t"] = {"class_type": "PrimitiveString", "inputs": {"value": "x.safetensors"}}
    workflow[node]["inputs"][name] = ["t", 0]
    assert "cannot come from another node" in faults(workflow)[f"/{node}/inputs/{name}"]


@pytest.mark.parametrize("prefix", ["../../x", "/etc/x", "a\\..\\b", "x\0y", "%date%/../.."])
def test_only_a_name_is_kept_of_an_outputs_prefix(prefix: str) -> None:
    result = checked(with_input("9", "filename_prefix", prefix))
    assert not result.faults
    sent_prefix = result.content["prompt"]["9"]["inputs"]["filename_prefix"]
    assert not set(sent_prefix) & set("/\\\0")
    assert ".." not in sent_prefix


@pytest.mark.parametrize("name", sorted(NEVER_ALLOWED))
def test_classes_that_write_models_or_reach_other_files_are_never_allowed(name: str) -> None:
    workflow = text_to_image() | {"x": {"class_type": name, "inputs": {}}}
    runtime = Runtime("comfy", "comfyui", dynamic_model=True, options={"allow": [name]})
    assert NEVER_ALLOWED[name] in faults(workflow, runtime)["/x/class_type"]


@pytest.mark.parametrize("name", sorted(ONLY_IF_ALLOWED))
def test_some_classes_are_allowed_by_name_only(name: str) -> None:
    workflow = text_to_image() | {"x": {"class_type": name, "inputs": {}}}
    assert "/x/class_type" in faults(workflow)
    runtime = Runtime("comfy", "comfyui", dynamic_model=True, options={"allow": [name]})
    assert "/x/class_type" not in faults(workflow, runtime)


def test_a_class_can_be_denied() -> None:
    runtime = Runtime("comfy", "comfyui", dynamic_model=True, options={"deny": ["KSampler"]})
    assert "nodes.deny" in faults(text_to_image(), runtime)["/3/class_type"]


def workflow_with_custom_node(**inputs: Any) -> dict[str, Any]:
    return text_to_image() | {"x": {"class_type": "Upscaler9", "inputs": inputs}}


def test_a_custom_node_is_allowed_by_its_name_only() -> None:
    assert "/x/class_type" in faults(workflow_with_custom_node(image=["8", 0]))
    runtime = Runtime("comfy", "comfyui", dynamic_model=True, options={"allow": ["Upscaler9"]})
    assert faults(workflow_with_custom_node(image=["8", 0], mode="fast", size=2), runtime) == {}


@pytest.mark.parametrize("text", PATHS_AND_ADDRESSES)
@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: [[text]], lambda text: {"a": [text]}])
def test_no_text_of_a_custom_node_is_a_path_or_an_address(text: str, wrap: Any) -> None:
    runtime = Runtime("comfy", "comfyui", dynamic_model=True, options={"allow": ["Upscaler9"]})
    assert "/x/inputs/where" in faults(workflow_with_custom_node(where=wrap(text)), runtime)


def workflow_to_send() -> dict[str, Any]:
    """Return a workflow as the worker sends it."""
    workflow = image_to_image("sdoe-0a.png")
    workflow["9"]["inputs"]["filename_prefix"] = "f0f0/9"
    return workflow


def refused_paths(workflow: dict[str, Any]) -> list[str]:
    return [
        fault.path for fault in escapes(workflow, Options.of(DYNAMIC), files={"sdoe-0a.png"}, folder="f0f0")
    ]


def test_the_worker_lets_a_rewritten_workflow_pass() -> None:
    assert refused_paths(workflow_to_send()) == []


@pytest.mark.parametrize(
    ("node", "name", "value"),
    [
        ("1", "image", "other.png"),
        ("1", "image", "../x.png"),
        ("1", "image", "sdoe-0a.png [output]"),
        ("1", "image", ["6", 0]),
        ("9", "filename_prefix", "other/9"),
        ("9", "filename_prefix", "f0f0/../x"),
        ("9", "filename_prefix", "f0f0/a\\b"),
        ("9", "filename_prefix", ["6", 0]),
        ("4", "ckpt_name", "../x"),
        ("4", "ckpt_name", ["6", 0]),
        ("6", "text", "/etc/passwd"),
        ("6", "text", "http://localhost:8188/"),
    ],
)
def test_the_worker_holds_a_rewritten_workflow_to_its_own_files(node: str, name: str, value: Any) -> None:
    workflow = workflow_to_send()
    workflow[node]["inputs"][name] = value
    assert refused_paths(workflow) == [f"/prompt/{node}/inputs/{name}"]


@pytest.mark.parametrize("name", ["CheckpointSave", "SaveImageDataSetToFolder", "Unknown"])
def test_the_worker_sends_no_class_that_is_not_allowed(name: str) -> None:
    workflow = workflow_to_send()
    workflow["9"]["class_type"] = name
    assert "/prompt/9/class_type" in refused_paths(workflow)
