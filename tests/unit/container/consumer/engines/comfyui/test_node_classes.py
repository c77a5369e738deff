"""What the worker knows of the classes of custom nodes."""

from typing import Any, cast

from container.consumer.engines.comfyui.client import ComfyUi
from container.consumer.engines.comfyui.node_classes import NodeClasses
from container.consumer.engines.comfyui.request import rewritten
from runtimes.comfyui.catalogue import Catalogue
from tests.support.comfyui import node
from tests.support.video_helper_suite import MARKER, OBJECT_INFO
from tools.node_catalogue.reduce import Reducer

NONCE = "a" * 32


class Server:
    """Describes VideoHelperSuite's classes, which have no flags for uploaded files."""

    def describe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = OBJECT_INFO[name]
        return found


def test_a_video_is_given_to_a_custom_node_that_only_the_catalogue_knows_to_read_files() -> None:
    reducer = Reducer({MARKER: "file:video"})
    reducer.add(OBJECT_INFO, custom=True)
    catalogue = Catalogue.from_json(reducer.text("0.3.64"))
    prompt = {
        "1": node("VHS_LoadVideo", video="clip.mp4"),
        "2": node("VHS_VideoCombine", images=["1", 0], filename_prefix="clip"),
    }

    classes = NodeClasses(cast("ComfyUi", Server())).of(prompt, catalogue)
    sent = rewritten(prompt, classes, {"clip.mp4": "sdoe-1.mp4"}, NONCE)

    assert sent["1"]["inputs"]["video"] == "sdoe-1.mp4"
    assert sent["2"]["inputs"]["filename_prefix"] == f"{NONCE}/2"
    assert (classes["1"].is_output, classes["2"].is_output) == (False, True)
