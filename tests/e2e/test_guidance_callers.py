"""A client of AWS's Guidance that only knows the endpoint and the key of this service."""

import copy
import json
from typing import Any

import httpx
import pytest

from local.pipeline import Pipeline
from tests.support.guidance import OLD_IMAGE_TO_IMAGE, PICTURE, REQUESTS

SENT = {
    "t2i": REQUESTS["v1alpha2/t2i"],
    "i2i": REQUESTS["v1alpha2/i2i"],
    "old-i2i": OLD_IMAGE_TO_IMAGE,
    "extra-single-image": REQUESTS["v1alpha2/extra-single-image"],
    "v1alpha1-t2i": REQUESTS["v1alpha1/t2i"],
    "v1alpha1-i2i": REQUESTS["v1alpha1/i2i"],
}


@pytest.mark.parametrize("name", sorted(SENT))
def test_a_request_from_the_guidances_test_script_is_completed(
    pipeline: Pipeline, pictures: str, task_id: str, name: str
) -> None:
    body: Any = json.loads(json.dumps(copy.deepcopy(SENT[name])).replace(PICTURE, f"{pictures}/cat.png"))
    version = "v1alpha2" if "task" in body else "v1alpha1"
    if version == "v1alpha2":
        body["task"]["metadata"]["id"] = task_id
    else:
        body["alwayson_scripts"]["id_task"] = task_id
    # The output ends in a slash, and the script puts another before the version and one behind it.
    endpoint = f"{pipeline.deployment.api_url}/"
    assert pipeline.deployment.outputs["FrontApiEndpoint"].endswith("/")
    headers = {"x-api-key": pipeline.deployment.api_key}
    answer = httpx.post(f"{endpoint}/{version}/", json=body, headers=headers, timeout=40)

    assert answer.status_code == 200, answer.text
    callback = pipeline.wait_for_callback(task_id)
    assert callback["error"] is None
    assert len(callback["image_url"]) == 1
