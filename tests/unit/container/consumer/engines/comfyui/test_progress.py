from typing import Any

from container.consumer.engines.comfyui.progress import Progress, Speeds
from tests.support.comfyui import text_to_image

FLOW = text_to_image(steps=4)


def node_state(node: str, value: float, max_value: float, kind: str = "running") -> dict[str, Any]:
    return {node: {"node_id": node, "display_node_id": node, "value": value, "max": max_value, "state": kind}}


def test_progress_never_falls_and_is_only_whole_when_the_history_says_so() -> None:
    reported: list[float] = []
    progress = Progress(FLOW, FLOW, reported.append)
    progress.cached(["4", "6", "7"])
    for nodes in (
        node_state("5", 1, 1, "finished"),
        node_state("3", 2, 4),
        node_state("3", 1, 4),
        node_state("3", 4, 4, "finished"),
    ):
        progress.states(nodes)
    assert reported == sorted(set(reported))
    for node in FLOW:
        progress.states(node_state(node, 1, 1, "finished"))
    assert reported[-1] == 0.99


def test_a_node_that_took_longer_weighs_more_in_the_next_job() -> None:
    speeds = Speeds()
    for class_type in ("EmptyLatentImage", "VAEDecode", "SaveImage"):
        speeds.learn(class_type, 0.001)
    speeds.learn("KSampler", 1.0)
    reported: list[float] = []
    progress = Progress(FLOW, ["3", "5", "8", "9"], reported.append, speeds)
    progress.states(node_state("3", 2, 4))
    assert 0.49 < reported[-1] < 0.51
