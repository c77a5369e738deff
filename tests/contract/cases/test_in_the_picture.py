"""What a request asks for is in its picture: without it, the picture is another one."""

import json
from typing import Any

import pytest

from tests.contract.cases.packed import bodies
from tests.contract.cases.place import Place

pytestmark = pytest.mark.xdist_group("cases")

ASKED = {
    "05-hires-fix-plain": "enable_hr",
    "08-inpaint-by-links": "mask",
    "19-controlnet-canny-hash": "alwayson_scripts",
    "20-controlnet-no-map-in-result": "alwayson_scripts",
    "21-controlnet-inpaint-image-mask": "alwayson_scripts",
    "35-soft-inpainting": "alwayson_scripts",
    "36-override-classic": "override_settings",
    "37-sdxl-refiner-static": "refiner_checkpoint",
    "42-styles": "styles",
    "50-sampler-index-old-name": "sampler_index",
    "73-v1alpha1-inpaint-link": "mask",
}
"""A field of each case that changes the picture."""

INSTEAD = {"36-override-classic": {"sd_model_checkpoint": "v1-5-pruned-emaonly.safetensors"}}
"""What stands in the field's place where the task cannot do without it."""


def content_of(body: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = body["task"]["content"] if "task" in body else body
    return content


@pytest.mark.parametrize("case", sorted(ASKED))
def test_without_what_was_asked_for_the_picture_is_another(case: str, place: Place) -> None:
    shas = []
    for number, without in enumerate((False, True)):
        body = json.loads(bodies()[case])
        content = content_of(body) | {"seed": 7}
        if without:
            del content[ASKED[case]]
            content |= {ASKED[case]: INSTEAD[case]} if case in INSTEAD else {}
        task_id = f"asked-{case}-{number}"
        if "task" in body:
            body["task"] = {"metadata": body["task"]["metadata"] | {"id": task_id}, "content": content}
        else:
            body = content | {"alwayson_scripts": content["alwayson_scripts"] | {"id_task": task_id}}
        got = place.request(json.dumps(body), case)
        assert got.code == "completed", got.error_text
        shas.append(got.receipts[0]["sha256"])

    assert shas[0] != shas[1]
