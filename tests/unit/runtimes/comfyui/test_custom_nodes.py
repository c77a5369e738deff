"""Custom nodes: what a catalogue tells of them, and what they may hold with and without one."""

from typing import Any

import pytest

from runtimes.comfyui.catalogue import Catalogue
from runtimes.comfyui.guard import escapes
from runtimes.comfyui.input_files import InputFiles
from runtimes.comfyui.nodes import NodeCheck
from runtimes.comfyui.options import Options
from runtimes.findings import Findings
from tests.support.comfyui import node
from tests.support.video_helper_suite import MARKER, OBJECT_INFO
from tools.node_catalogue.reduce import Reducer

ALLOW = frozenset(OBJECT_INFO)
LINK = "https://example.org/clip.mp4"


def catalogue() -> Catalogue:
    reducer = Reducer({MARKER: "file:video"})
    reducer.add(OBJECT_INFO, custom=True)
    return Catalogue.from_json(reducer.text("0.3.64"))


def check(prompt: dict[str, Any], known: Catalogue, *, allow: frozenset[str] = ALLOW) -> Findings:
    found = Findings("")
    NodeCheck(Options(allow=allow), known, InputFiles(found), found, "/prompt", 10_000).check(prompt)
    return found


def combine(**inputs: Any) -> dict[str, Any]:
    """Return a workflow that loads a video and makes another one of it."""
    frames = {
        "force_rate": 0,
        "custom_width": 0,
        "custom_height": 0,
        "frame_load_cap": 16,
        "skip_first_frames": 0,
        "select_every_nth": 1,
        "format": "None",
    }
    video = {
        "images": ["1", 0],
        "frame_rate": 8,
        "loop_count": 0,
        "filename_prefix": "clip",
        "format": "video/h264-mp4",
        "pingpong": False,
        "save_output": True,
    }
    return {
        "1": node("VHS_LoadVideo", video=LINK, **frames),
        "2": node("VHS_VideoCombine", **(video | inputs)),
    }


def test_the_tool_finds_the_inputs_of_each_video_format_and_those_that_take_paths() -> None:
    classes = catalogue().classes
    video = classes["VHS_VideoCombine"]
    assert video.is_output
    assert video.inputs["filename_prefix"].kind == "prefix"
    assert video.inputs["pix_fmt"].choices == ("yuv420p", "yuv420p10le", "yuva420p")
    crf = video.inputs["crf"]
    assert (crf.kind, crf.minimum, crf.maximum, crf.required) == ("INT", 0, 100, False)
    assert video.inputs["lossless"].kind == video.inputs["save_metadata"].kind == "BOOLEAN"
    assert video.inputs["profile"].choices == ("lt", "standard", "hq")
    assert classes["VHS_LoadVideo"].inputs["video"].media == "video"
    assert classes["VHS_LoadVideo"].inputs.keys() == OBJECT_INFO["VHS_LoadVideo"]["input"][
        "required"
    ].keys() | {"meta_batch", "vae"}
    assert classes["VHS_LoadVideoPath"].inputs["video"].kind == "path"
    assert classes["VHS_SelectLatest"].inputs["filename_prefix"].kind == "path"


def test_a_video_is_loaded_from_a_link_and_made_in_the_quality_that_was_asked_for() -> None:
    prompt = combine(crf=19, pix_fmt="yuv420p", save_metadata=False)
    found = check(prompt, catalogue())
    assert (found.faults, found.warnings) == ([], [])
    assert prompt["2"]["inputs"]["crf"] == 19


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"crf": 101}, "/prompt/2/inputs/crf"),
        ({"format": "video/mine"}, "/prompt/2/inputs/format"),
        ({"pix_fmt": "rgb"}, "/prompt/2/inputs/pix_fmt"),
        ({"images": "a.png"}, "/prompt/2/inputs/images"),
    ],
)
def test_a_value_that_a_custom_node_does_not_take_is_refused(inputs: dict[str, Any], path: str) -> None:
    assert [fault.path for fault in check(combine(**inputs), catalogue()).faults] == [path]


@pytest.mark.parametrize("video", ["clip.mp4", "input/clip.mp4", LINK, "/etc/passwd"])
def test_an_input_that_takes_paths_and_urls_takes_none_from_a_task(video: str) -> None:
    prompt = combine()
    prompt["1"]["class_type"], prompt["1"]["inputs"]["video"] = "VHS_LoadVideoPath", video
    assert [fault.path for fault in check(prompt, catalogue()).faults] == ["/prompt/1/inputs/video"]


def test_a_file_of_the_worker_is_not_loaded() -> None:
    prompt = combine()
    prompt["1"]["inputs"]["video"] = "a.mp4"
    assert [fault.path for fault in check(prompt, catalogue()).faults] == ["/prompt/1/inputs/video"]


def test_a_custom_node_must_be_allowed_by_name_and_some_cannot_be() -> None:
    known = catalogue()
    prompt = {"1": node("VHS_BatchManager", frames_per_batch=16)}
    (fault,) = check(prompt, known).faults
    assert "queues the workflow again" in fault.message
    for name in ("Mine", "VHS_LoadVideo"):
        (fault,) = check({"1": node(name)}, known, allow=frozenset({"VHS_VideoCombine"})).faults
        assert "nodes.allow" in fault.message


def test_the_tool_marks_the_classes_of_packs_but_not_comfyuis_own() -> None:
    reducer = Reducer()
    core = {"input": {}, "output": [], "python_module": "nodes"}
    reducer.add(OBJECT_INFO | {"Core": core}, custom=True)
    reducer.add({"Core": core}, custom=True)  # a further version without the packs
    known = Catalogue.from_json(reducer.text("0.3.64")).classes
    assert {name for name, facts in known.items() if facts.is_custom} == OBJECT_INFO.keys()


def test_without_a_catalogue_a_custom_node_holds_links_and_plain_values() -> None:
    prompt = {"1": node("Mine", images=["2", 0], text="a cat, 4:3 and/or so", number=1.5, flag=True)}
    found = check(prompt, Catalogue({}), allow=frozenset({"Mine"}))
    assert (found.faults, found.warnings) == ([], [])


PATHS = ["/etc/passwd", "C:\\x", "../x", "output/a/b.png", "models\\x.pt", "cat.png [output]"]


@pytest.mark.parametrize("value", [*PATHS, LINK, "s3://b/k", "file:///etc/passwd", ["a", {"b": "c/d.png"}]])
def test_without_a_catalogue_a_custom_node_holds_no_path_and_no_url(value: Any) -> None:
    prompt = {"1": node("Mine", text=value)}
    found = check(prompt, Catalogue({}), allow=frozenset({"Mine"}))
    assert [fault.path for fault in found.faults] == ["/prompt/1/inputs/text"]
    # The worker refuses it too, whoever has sent the message.
    before = {"1": node("Mine", text=value)}
    escaped = escapes(before, Options(allow=frozenset({"Mine"})), files=(), folder="f")
    assert [fault.path for fault in escaped] == ["/prompt/1/inputs/text"]
