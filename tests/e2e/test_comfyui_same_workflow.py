"""The same workflow as several tasks: ComfyUI computes it once, and each task has files of its own."""

import base64
import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local.emulator import Emulator
from tests.support.comfyui import image_to_image, node, png, text_to_image
from tests.support.comfyui_setup import ComfyUiSetup

Workflow = dict[str, Any]
SAMPLED = {"3", "4", "6", "7", "8"}
PICTURE = base64.b64encode(png("green")).decode()


def preview(**options: Any) -> Workflow:
    flow = text_to_image(**options)
    flow["9"] = node("PreviewImage", images=["8", 0])
    return flow


def two_outputs(**options: Any) -> Workflow:
    return text_to_image(**options) | {"10": node("PreviewImage", images=["8", 0])}


def from_an_image(**options: Any) -> Workflow:
    return image_to_image(PICTURE, **options)


@pytest.mark.long
@pytest.mark.parametrize(
    ("flow", "cached", "cache"),
    [
        (text_to_image, SAMPLED, "classic"),
        (text_to_image, SAMPLED, "lru"),
        (preview, SAMPLED, "classic"),
        (two_outputs, SAMPLED, "classic"),
        (from_an_image, {"4", "6", "7"}, "classic"),  # its image has another name for each task
    ],
)
def test_each_task_has_its_own_files_of_what_comfyui_does_not_compute_again(
    aws: Emulator, tmp_path: Path, flow: Callable[..., Workflow], cached: set[str], cache: str
) -> None:
    seeds = {"first": 1, "same": 1, "other": 2, "same-again": 1}
    with ExitStack() as stack:
        setup = ComfyUiSetup(aws, tmp_path, stack, cache=cache)
        for name, seed in seeds.items():
            assert setup.submit(name, flow(seed=seed, text="a mill")).status == 200
        setup.start_consumer()
        rows = {name: setup.until(name) for name in seeds}
        documents = {name: setup.document(row) for name, row in rows.items()}
        for name, row in rows.items():
            (facts,) = setup.facts(row)
            assert (facts["prompt"], facts["seed"]) == ("a mill", seeds[name])
            for link, receipt in zip(row.item["images"], documents[name]["images"], strict=True):
                assert f"/{name}/" in link
                assert hashlib.sha256(setup.read(link)).hexdigest() == receipt["sha256"]
            assert not {"9", "10"} & set(documents[name]["cached_nodes"])
        assert documents["first"]["cached_nodes"] == []
        assert cached <= set(documents["same"]["cached_nodes"])
        assert "3" not in documents["other"]["cached_nodes"]
        assert len({document["prompt_id"] for document in documents.values()}) == len(seeds)
        assert setup.fake.control.stats()["posted"] == len(seeds)
        assert setup.left_behind() == []
