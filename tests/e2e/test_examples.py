"""Every file in examples/ is a request that works, with the image on the internet replaced."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.pipeline import Pipeline

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.json"))
# The image that the examples link to.
LINK = "https://huggingface.co/datasets/huggingface/documentation-images/resolve/main/diffusers/cat.png"
DRAWN_SEED = "a seed is drawn"
IMAGES = {"v1alpha2-batch": 4, "v1alpha2-extra-batch-images": 2, "v1alpha1-extra-batch-images": 2}


def _read(path: Path, picture: str, task_id: str) -> Any:
    """Return the request with a local image and an id of this test."""
    body = json.loads(path.read_text(encoding="utf-8").replace(LINK, picture))
    if "task" in body:
        body["task"]["metadata"]["id"] = task_id
    else:
        body["alwayson_scripts"]["id_task"] = task_id
    return body


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_accepted_without_a_warning_and_completed(
    pipeline: Pipeline, pictures: str, task_id: str, path: Path
) -> None:
    version = path.name.partition("-")[0]
    answer = pipeline.submit(_read(path, f"{pictures}/cat.png", task_id), version)
    assert answer.status_code == 200, answer.text
    assert [one for one in answer.json()["warnings"] if DRAWN_SEED not in one["message"]] == []
    callback = pipeline.wait_for_callback(task_id)
    assert callback["error"] is None
    images = [link for link in callback["image_url"] if "-grid-" not in link]
    assert len(images) == IMAGES.get(path.stem, 1)


def test_there_is_an_example_for_each_version_and_task_type() -> None:
    names = {path.stem for path in EXAMPLES}
    kinds = ("text-to-image", "image-to-image", "extra-single-image", "extra-batch-images")
    assert {f"{version}-{kind}" for version in ("v1alpha1", "v1alpha2") for kind in kinds} <= names


def test_no_two_examples_share_an_id() -> None:
    bodies = [json.loads(path.read_text()) for path in EXAMPLES]
    ids = [
        body["task"]["metadata"]["id"] if "task" in body else body["alwayson_scripts"]["id_task"]
        for body in bodies
    ]

    assert len(set(ids)) == len(ids)
