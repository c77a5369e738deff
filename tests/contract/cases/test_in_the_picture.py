"""What a request asks for is in its picture: without it, the picture is another one."""

import json
from typing import Any

import pytest

from tests.contract.cases.packed import bodies
from tests.contract.cases.place import Place

pytestmark = pytest.mark.xdist_group("cases")

FIELD_OF_CASE = {
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

REPLACEMENTS = {"36-override-classic": {"sd_model_checkpoint": "v1-5-pruned-emaonly.safetensors"}}
"""Fields that replace the removed one, in a case that would be refused without it."""


def content_of(body: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = body["task"]["content"] if "task" in body else body
    return content


@pytest.mark.parametrize("case", sorted(FIELD_OF_CASE))
def test_without_what_was_asked_for_the_picture_is_another(case: str, place: Place) -> None:
    hashes = []
    for number, is_removed in enumerate((False, True)):
        body = json.loads(bodies()[case])
        content = content_of(body) | {"seed": 7}
        if is_removed:
            del content[FIELD_OF_CASE[case]]
            content |= {FIELD_OF_CASE[case]: REPLACEMENTS[case]} if case in REPLACEMENTS else {}
        task_id = f"asked-{case}-{number}"
        if "task" in body:
            body["task"] = {"metadata": body["task"]["metadata"] | {"id": task_id}, "content": content}
        else:
            body = content | {"alwayson_scripts": content["alwayson_scripts"] | {"id_task": task_id}}
        outcome = place.request(json.dumps(body), case)
        assert outcome.code == "completed", outcome.error_text
        hashes.append(outcome.receipts[0]["sha256"])

    assert hashes[0] != hashes[1]
