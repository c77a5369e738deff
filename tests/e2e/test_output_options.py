"""Images are stored in the format that their task asks for, from the API to the receipt."""

import hashlib
import json
from io import BytesIO
from typing import Any

import httpx
from PIL import Image

from container.consumer.engines.sdwebui.infotext import read_infotext
from local.pipeline import Pipeline
from tests.support import bodies


def _document(pipeline: Pipeline, callback: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(pipeline.download(callback["output_url"]))
    return document


def test_callback_links_and_receipt_follow_the_format(pipeline: Pipeline, task_id: str) -> None:
    options = {"format": "jpeg", "quality": 90}
    body = bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image(batch_size=2), output=options)
    assert pipeline.submit(body).status_code == 200
    callback = pipeline.wait_for_callback(task_id)
    assert [link.rpartition(".")[2] for link in callback["image_url"]] == ["jpg", "jpg"]
    receipts = _document(pipeline, callback)["images"]
    for link, receipt in zip(callback["image_url"], receipts, strict=True):
        data = pipeline.download(link)
        assert Image.open(BytesIO(data)).format == "JPEG"
        assert read_infotext(data) == receipt["infotext"]
        assert (receipt["content_type"], receipt["bytes"]) == ("image/jpeg", len(data))
        assert receipt["sha256"] == hashlib.sha256(data).hexdigest()
        assert receipt["original"]["content_type"] == "image/png"
        assert len(receipt["original"]["sha256"]) == 64
    presigned = pipeline.call("GET", f"/v1alpha2/tasks/{task_id}").json()["images"][0]["url"]
    assert httpx.get(presigned, trust_env=False).headers["content-type"] == "image/jpeg"


def test_without_options_the_images_are_those_of_the_engine(pipeline: Pipeline, task_id: str) -> None:
    content = bodies.text_to_image()
    for name, options in ((f"{task_id}-a", None), (f"{task_id}-b", {"format": "png"})):
        body = bodies.v1alpha2(name, "text-to-image", content, output=options)
        assert pipeline.submit(body).status_code == 200
    callbacks = [pipeline.wait_for_callback(f"{task_id}-{name}") for name in ("a", "b")]
    receipts = [_document(pipeline, callback)["images"][0] for callback in callbacks]
    assert "original" not in receipts[0]
    assert "original" not in receipts[1]
    assert receipts[0]["sha256"] == receipts[1]["sha256"]


def test_a_v1alpha1_task_has_the_options_too(pipeline: Pipeline, task_id: str) -> None:
    options = {"format": "webp", "metadata": "strip"}
    body = bodies.v1alpha1(task_id, "text-to-image", bodies.text_to_image(), output=options)
    assert pipeline.submit(body, "v1alpha1").status_code == 200
    callback = pipeline.wait_for_callback(task_id)
    data = pipeline.download(callback["image_url"][0])
    assert (Image.open(BytesIO(data)).format, read_infotext(data)) == ("WEBP", None)
    assert _document(pipeline, callback)["images"][0]["infotext"], "the receipt still says what was done"


def test_wrong_options_are_refused_with_their_pointers(pipeline: Pipeline, task_id: str) -> None:
    wrong = {"format": "gif", "quality": 0, "metadata": "none", "size": 1}
    body = bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image(), output=wrong)
    details = pipeline.submit(body).json()["error"]["details"]
    pointers = {fault["path"] for fault in details}
    assert pointers == {f"/task/metadata/output/{name}" for name in wrong}
    old = bodies.v1alpha1(task_id, "text-to-image", bodies.text_to_image(), output="jpeg")
    (fault,) = pipeline.submit(old, "v1alpha1").json()["error"]["details"]
    assert fault["path"] == "/alwayson_scripts/output"


def test_another_format_under_the_same_id_is_another_task(pipeline: Pipeline, task_id: str) -> None:
    content = bodies.text_to_image(steps=150)
    jpeg, webp = (
        bodies.v1alpha2(task_id, "text-to-image", content, output={"format": name})
        for name in ("jpeg", "webp")
    )
    assert pipeline.submit(jpeg).status_code == 200
    assert pipeline.submit(jpeg).status_code == 200
    assert pipeline.submit(webp).status_code == 409
    pipeline.call("DELETE", f"/v1alpha2/tasks/{task_id}")
