"""The workflows in examples/ are accepted by the rules and make a picture on the fake."""

import json
from pathlib import Path

import pytest

from domain.limits import Limits
from domain.routing import Runtime
from runtimes.comfyui.runtime_type import ComfyUi
from tests.support.comfyui import CHECKPOINT, Client, png

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*comfyui*.json"))
RUNTIME = Runtime(name="comfyruntime", type="comfyui", model_filename=CHECKPOINT)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_accepted_and_makes_a_picture(path: Path, client: Client) -> None:
    task = json.loads(path.read_text())["task"]
    assert task["metadata"]["runtime"] == RUNTIME.name
    checked = ComfyUi().validate(task["metadata"]["tasktype"], task["content"], RUNTIME, Limits())
    assert checked.faults == []
    flow = checked.content["prompt"]
    for name in checked.content["files"]:
        client.upload(name, png("red", size=512))
    for node in flow.values():
        if node["inputs"].get("seed") == -1:
            node["inputs"]["seed"] = 1
    picture_recipe = client.run_and_read_recipe(flow)
    assert picture_recipe["prompt"] == "cat wizard"
    assert (picture_recipe["reference"] is not None) is bool(checked.content["files"])
