"""The workflows in examples/ are accepted by the rules and make what they should on the fake."""

import json
from pathlib import Path
from typing import Any

import pytest

from container.consumer.inputs.video_sizes import VideoSize, video_size
from domain.limits import Limits
from domain.routing import Runtime
from runtimes.comfyui.runtime_type import ComfyUi
from tests.support.comfyui import CHECKPOINT, Client, png

VIDEO = "v1alpha2-comfyui-video"
EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*comfyui*.json"))
PICTURES = [path for path in EXAMPLES if path.stem != VIDEO]
RUNTIME = Runtime(name="comfyruntime", type="comfyui", model_filename=CHECKPOINT)


def accepted(path: Path) -> Any:
    """Return the checked content of an example."""
    task = json.loads(path.read_text())["task"]
    assert task["metadata"]["runtime"] == RUNTIME.name
    checked = ComfyUi().validate(task["metadata"]["tasktype"], task["content"], RUNTIME, Limits())
    assert checked.faults == []
    return checked.content


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_an_example_is_accepted_and_makes_a_picture(path: Path, client: Client) -> None:
    content = accepted(path)
    flow = content["prompt"]
    for name in content["files"]:
        client.upload(name, png("red", size=512))
    for node in flow.values():
        if node["inputs"].get("seed") == -1:
            node["inputs"]["seed"] = 1
    picture_recipe = client.run_and_read_recipe(flow)
    assert picture_recipe["prompt"] == "cat wizard"
    assert (picture_recipe["reference"] is not None) is bool(content["files"])


def test_the_example_of_a_video_makes_one_of_four_frames(client: Client) -> None:
    content = accepted(next(path for path in EXAMPLES if path.stem == VIDEO))
    (output,) = content["outputs"]
    (item,) = client.run(content["prompt"])["outputs"][output]["images"]
    data = client.http.get("/view", params=item).content
    assert data.count(b"cat wizard") == 4
    assert video_size(data, "MP4") == VideoSize(512, 512, 4)
