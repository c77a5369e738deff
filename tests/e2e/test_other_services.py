"""Requests for other ComfyUI services, converted by `tools.workflow_request`, make their picture."""

import io
import json

import pytest
from PIL import Image

from local.pipeline import Pipeline
from tests.support.other_services import PICTURE, REQUESTS
from tools.workflow_request import convert


@pytest.mark.parametrize("name", REQUESTS)
def test_a_converted_request_is_completed(pipeline: Pipeline, pictures: str, task_id: str, name: str) -> None:
    body = json.loads(json.dumps(REQUESTS[name]).replace(PICTURE, f"{pictures}/cat.png"))
    answer = pipeline.submit(convert(body, task_id=task_id, runtime="comfyruntime").request)
    assert answer.status_code == 200, answer.text

    callback = pipeline.wait_for_callback(task_id)
    assert callback["error"] is None
    (link,) = callback["image_url"]
    with Image.open(io.BytesIO(pipeline.download(link))) as image:
        assert image.size == (512, 512)
