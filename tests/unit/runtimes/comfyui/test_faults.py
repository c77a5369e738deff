from typing import Any

import pytest

from domain.limits import Limits
from domain.routing import Runtime
from tests.support.workflows import STATIC, faults, image_to_image, text_to_image, with_input


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def test_all_faults_are_reported_at_once() -> None:
    workflow = text_to_image()
    workflow["3"]["inputs"] |= {"steps": 0, "sampler_name": "eular", "model": ["44", 0]}
    workflow["5"]["class_type"] = "EmptyLatentImag"
    messages = faults({"prompt": workflow})
    assert messages.keys() == {
        "/prompt/3/inputs/steps",
        "/prompt/3/inputs/sampler_name",
        "/prompt/3/inputs/model",
        "/prompt/5/class_type",
    }
    assert "nearest is 'euler'" in messages["/prompt/3/inputs/sampler_name"]
    assert "nearest is 'EmptyLatentImage'" in messages["/prompt/5/class_type"]


@pytest.mark.parametrize(
    ("where", "name", "value", "expected_text"),
    [
        ("3", "model", ["99", 0], "no node"),
        ("8", "samples", ["3", 1], "1 outputs"),
        ("8", "samples", ["3", -1], "begins at 0"),
        ("8", "samples", ["4", 0], "LATENT is expected"),
        ("8", "samples", ["3", 0, 0], "a link"),
        ("8", "samples", "3", "a link"),
        ("3", "steps", ["6", 0], "INT is expected"),
        ("3", "steps", 1.9, "whole number"),
        ("3", "steps", True, "whole number"),
        ("3", "steps", float("nan"), "whole number"),
        ("3", "cfg", float("nan"), "finite"),
        ("3", "cfg", float("inf"), "finite"),
        ("3", "steps", 0, "at least 1"),
        ("3", "seed", -2, "at least 0"),
        ("3", "seed", 2**64, "at most"),
        ("3", "scheduler", "norml", "nearest is 'normal'"),
        ("6", "text", None, "not null"),
        ("6", "text", {"__value__": "a"}, "a string"),
        ("6", "text", "x" * 10_001, "at most 10000 characters"),
        ("4", "ckpt_name", 4, "name of a model"),
        ("5", "batch_size", 65, "at most 64 images"),
        ("5", "width", 16_000, "pixels"),
        ("3", "steps", 1001, "at most 1000"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_where_it_is(
    where: str, name: str, value: Any, expected_text: str
) -> None:
    messages = faults(with_input(where, name, value))
    assert any(path.startswith(f"/{where}") and expected_text in text for path, text in messages.items()), (
        messages
    )


def test_a_missing_input_is_refused() -> None:
    workflow = text_to_image()
    del workflow["3"]["inputs"]["model"]
    assert faults(workflow) == {"/3/inputs/model": "this input is required"}


def test_a_circle_is_refused_at_one_of_its_links() -> None:
    workflow = text_to_image()
    workflow["1"] = node("ImageInvert", image=["2", 0])
    workflow["2"] = node("ImageInvert", image=["1", 0])
    workflow["9"]["inputs"]["images"] = ["2", 0]
    [(path, text)] = faults(workflow).items()
    assert "circle" in text
    assert path in {"/1/inputs/image", "/2/inputs/image"}


def test_a_workflow_without_an_output_node_is_refused() -> None:
    workflow = text_to_image()
    del workflow["9"]
    assert "output node" in faults({"prompt": workflow})["/prompt"]


def test_outputs_are_ids_of_output_nodes() -> None:
    messages = faults({"prompt": text_to_image(), "outputs": ["9", "8", "9", "x", 1]})
    assert messages.keys() == {"/outputs/1", "/outputs/2", "/outputs/3", "/outputs/4"}


@pytest.mark.parametrize("value", [{}, {"1": None}, {"1": {}}, {"1": {"class_type": "x"}}, {"": {}}])
def test_what_is_no_workflow_is_refused(value: dict[str, Any]) -> None:
    assert faults(value)
    assert faults({"prompt": value})


def test_an_id_has_at_most_64_printable_characters() -> None:
    for name in ("x" * 65, "a\nb"):
        assert faults(text_to_image() | {name: node("ImageInvert", image=["8", 0])})


def test_a_workflow_has_at_most_300_nodes() -> None:
    workflow = text_to_image()
    for number in range(300):
        workflow[f"n{number}"] = node("ImageInvert", image=["8", 0])
    assert faults({"prompt": workflow}) == {"/prompt": "at most 300 nodes are allowed"}


def test_a_row_of_nodes_is_bounded_where_more_nodes_are_allowed() -> None:
    workflow, last = text_to_image(), "8"
    for number in range(310):
        workflow[f"n{number}"] = node("ImageInvert", image=[last, 0])
        last = f"n{number}"
    runtime = Runtime("comfy", "comfyui", dynamic_model=True, options={"nodes": 1000})
    assert "row" in faults({"prompt": workflow}, runtime)["/prompt"]


def test_a_static_runtime_serves_its_own_checkpoint_only() -> None:
    assert not faults(text_to_image(), STATIC)
    assert faults(with_input("4", "ckpt_name", "dogs.safetensors"), STATIC).keys() == {"/4/inputs/ckpt_name"}


def test_limits_count_constants_that_other_nodes_hold() -> None:
    workflow = with_input("5", "width", ["w", 0])
    workflow["w"] = node("PrimitiveInt", value=16_000)
    assert "/5/inputs/width" in faults(workflow)


def test_repeated_batches_count_as_images() -> None:
    workflow = with_input("5", "batch_size", 8)
    workflow["r"] = node("RepeatLatentBatch", samples=["5", 0], amount=9)
    workflow["3"]["inputs"]["latent_image"] = ["r", 0]
    assert faults(workflow) == {"/r": "a task makes at most 64 images"}


def test_the_work_of_all_samplers_together_is_bounded() -> None:
    workflow = text_to_image()
    workflow["s"] = node("KSampler", **workflow["3"]["inputs"] | {"latent_image": ["3", 0]})
    limits = Limits(work=20 * 512 * 512 + 1)
    assert not faults(text_to_image(), limits=limits)
    assert faults(workflow, limits=limits).keys() & {"/3", "/s"}


def test_a_scaling_node_has_the_limit_of_scaled_images() -> None:
    workflow = text_to_image()
    workflow["u"] = node(
        "ImageScale", image=["8", 0], upscale_method="area", width=4096, height=4096, crop="disabled"
    )
    assert not faults(workflow)


def test_a_file_that_is_no_image_is_refused_where_an_image_is_read() -> None:
    pdf = "JVBERi0xLjQKJcfsj6IKNSAwIG9iago8PC9MZW5ndGggNiAwIFI+Pg=="
    assert "PDF" in faults(image_to_image(pdf))["/1/inputs/image"]
