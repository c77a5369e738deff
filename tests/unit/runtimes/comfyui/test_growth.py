"""Small workflows that would fill the server's memory are refused."""

from typing import Any

import pytest

from domain.limits import DEFAULT_LIMITS
from tests.support.comfyui import node
from tests.support.workflows import faults, image_to_image, text_to_image

ROW = 59
L = DEFAULT_LIMITS


def grown(class_type: str, names: tuple[str, str], start: Any, *, count: int = ROW, **more: Any) -> set[str]:
    """Return where a workflow has faults in which nodes of a class take twice what the one before gives."""
    flow = text_to_image() | {
        "audio": node("EmptyAudio", duration=60.0, sample_rate=44_100, channels=2),
        "silence": node("SaveAudio", audio=["audio", 0], filename_prefix="a"),
    }
    before = start
    for number in range(count):
        flow[f"j{number}"] = node(class_type, **dict.fromkeys(names, before), **more)
        before = [f"j{number}", 0]
    return {path.removeprefix("/") for path in faults(flow)}


STITCH = {"direction": "right", "match_image_size": True, "spacing_width": 0, "spacing_color": "white"}


@pytest.mark.parametrize(
    ("class_type", "names", "start", "more", "allowed"),
    [
        ("StringConcatenate", ("string_a", "string_b"), "a" * 100, {"delimiter": ""}, 6),
        ("StringReplace", ("string", "replace"), "a" * 10, {"find": "a"}, 2),
        ("ImageStitch", ("image1", "image2"), ["8", 0], STITCH, 8),
        ("ImageStitch", ("image1", "image2"), ["8", 0], STITCH | {"direction": "down"}, 8),
        ("ImageBatch", ("image1", "image2"), ["8", 0], {}, 6),
        ("LatentBatch", ("samples1", "samples2"), ["3", 0], {}, 6),
        ("LatentConcat", ("samples1", "samples2"), ["3", 0], {"dim": "-y"}, 8),
        ("LatentConcat", ("samples1", "samples2"), ["3", 0], {"dim": "t"}, 5),
        ("ConditioningCombine", ("conditioning_1", "conditioning_2"), ["6", 0], {}, 8),
        ("ConditioningConcat", ("conditioning_to", "conditioning_from"), ["6", 0], {}, 8),
        ("AudioConcat", ("audio1", "audio2"), ["audio", 0], {"direction": "after"}, 3),
    ],
)
def test_a_row_of_nodes_that_each_double_what_they_take_is_refused(
    class_type: str, names: tuple[str, str], start: Any, more: dict[str, Any], allowed: int
) -> None:
    assert grown(class_type, names, start, count=allowed, **more) == set()
    assert f"j{allowed}" in grown(class_type, names, start, count=allowed + 1, **more)
    assert grown(class_type, names, start, **more)


def test_the_borders_of_an_image_count_and_add_up_over_a_row() -> None:
    def padded(side: int, *, count: int = 1) -> dict[str, str]:
        flow, before = image_to_image(), "1"
        for number in range(count):
            borders = dict.fromkeys(("left", "top", "right", "bottom"), side)
            flow[f"p{number}"] = node("ImagePadForOutpaint", image=[before, 0], feathering=0, **borders)
            before = f"p{number}"
        flow["5"]["inputs"]["pixels"] = [before, 0]
        return faults(flow)

    assert padded(256) == {}
    assert "pixels" in padded(16_384)["/p0"]
    assert padded(512, count=7) == {}
    assert "/p7" in padded(512, count=8)


@pytest.mark.parametrize(
    ("class_type", "inputs", "most"),
    [
        ("ImageScaleBy", {"upscale_method": "bilinear", "scale_by": 8.0}, 1),
        ("ImageUpscaleWithModel", {"upscale_model": ["u", 0]}, 3),
    ],
)
def test_an_image_from_a_file_is_not_scaled_without_end(
    class_type: str, inputs: dict[str, Any], most: int
) -> None:
    for count in (most, most + 1, ROW):
        flow, before = image_to_image(), "1"
        flow["u"] = node("UpscaleModelLoader", model_name="4x.pth")
        for number in range(count):
            flow[f"x{number}"] = node(class_type, image=[before, 0], **inputs)
            before = f"x{number}"
        flow["5"]["inputs"]["pixels"] = [before, 0]
        assert any(path.startswith(f"/x{most}") for path in faults(flow)) == (count > most)


@pytest.mark.parametrize(
    ("class_type", "inputs", "name"),
    [
        (
            "ResizeAndPadImage",
            {"target_width": 8193, "target_height": 8192, "padding_color": "white", "interpolation": "area"},
            "target_width",
        ),
        ("ImageScaleToMaxDimension", {"upscale_method": "area", "largest_size": 8193}, "largest_size"),
    ],
)
def test_every_input_that_tells_a_size_is_limited(class_type: str, inputs: dict[str, Any], name: str) -> None:
    flow = image_to_image() | {"r": node(class_type, image=["1", 0], **inputs)}
    flow["5"]["inputs"]["pixels"] = ["r", 0]
    assert faults(flow).keys() == {f"/r/inputs/{name}"}
    flow["r"]["inputs"][name] -= 1
    assert faults(flow) == {}


def test_what_a_text_becomes_counts_not_what_it_might() -> None:
    flow = text_to_image()
    long = "a cat, " * (L.prompt_characters // 7 - 2)
    flow["t"] = node("StringReplace", string=f"SUBJECT {long}", find="SUBJECT", replace="two dogs")
    flow["6"]["inputs"]["text"] = ["t", 0]
    assert faults(flow) == {}
    flow["t"]["inputs"]["find"] = "a"
    assert "characters" in faults(flow)["/t"]
    flow["cut"] = node("StringSubstring", string=long, start=0, end=100)
    flow["t"] = node("StringConcatenate", string_a=["cut", 0], string_b=long[:-100], delimiter="")
    assert faults(flow) == {}


def test_a_large_workflow_that_joins_each_part_once_is_accepted() -> None:
    flow = text_to_image()
    before: list[Any] = ["6", 0]
    for number in range(280):
        inputs = {"conditioning_1": before, "conditioning_2": ["7", 0]}
        flow[f"c{number}"] = node("ConditioningCombine", **inputs)
        before = [f"c{number}", 0]
    flow["3"]["inputs"]["positive"] = before
    assert faults(flow) == {}
