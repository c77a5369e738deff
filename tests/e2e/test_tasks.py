"""Tasks from the HTTP request to the image in S3 and the callback."""

import hashlib
import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from local.pipeline import Pipeline
from local.process import free_port
from tests.support import bodies

TASK_TYPES = ["text-to-image", "image-to-image", "extra-single-image", "extra-batch-images"]
CALLBACK_KEYS = {"id", "runtime", "result", "status", "image_url", "output_url", "context", "error"}


def _images(pipeline: Pipeline, callback: dict[str, Any]) -> list[Image.Image]:
    return [Image.open(BytesIO(pipeline.download(link))) for link in callback["image_url"]]


def _out(pipeline: Pipeline, callback: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = json.loads(pipeline.download(callback["output_url"]))
    return out


def _completed(pipeline: Pipeline, body: Any, version: str = "v1alpha2") -> dict[str, Any]:
    answer = pipeline.submit(body, version)
    assert answer.status_code == 200, answer.text
    callback = pipeline.wait_for_callback(answer.json()["id_task"])
    assert callback["error"] is None, callback
    assert callback["status"] == "completed"
    assert callback["result"] is True
    return callback


@pytest.mark.parametrize("tasktype", TASK_TYPES)
def test_a_v1alpha2_task_of_each_type_is_completed(
    pipeline: Pipeline, pictures: str, task_id: str, tasktype: str
) -> None:
    body = bodies.v1alpha2(task_id, tasktype, bodies.example_content(tasktype, f"{pictures}/cat.png"))
    answer = pipeline.submit(body).json()
    callback = pipeline.wait_for_callback(task_id)

    location = f"s3://{pipeline.output_bucket}/output/{task_id}"
    assert {name: answer[name] for name in ("id_task", "runtime", "output_location")} == {
        "id_task": task_id,
        "runtime": "sdruntime",
        "output_location": location,
    }
    assert set(callback) == CALLBACK_KEYS
    assert (callback["id"], callback["runtime"], callback["status"]) == (task_id, "sdruntime", "completed")
    assert all(link.startswith(f"{location}/{task_id}-") for link in callback["image_url"])
    assert len(callback["image_url"]) == (2 if tasktype == "extra-batch-images" else 1)
    sides = 64 if tasktype.endswith("to-image") else 1024
    assert [image.size for image in _images(pipeline, callback)] == [(sides, sides)] * len(
        callback["image_url"]
    )


@pytest.mark.parametrize("tasktype", TASK_TYPES)
def test_a_v1alpha1_task_of_each_type_is_completed(pipeline: Pipeline, task_id: str, tasktype: str) -> None:
    link = pipeline.upload(f"{task_id}.png", bodies.png())
    body = bodies.v1alpha1(task_id, tasktype, bodies.example_content(tasktype, link))
    answer = pipeline.submit(body, "v1alpha1").json()
    callback = pipeline.wait_for_callback(task_id)

    assert {name: answer[name] for name in ("id_task", "sd_model_checkpoint", "output_location")} == {
        "id_task": task_id,
        "sd_model_checkpoint": bodies.CHECKPOINT,
        "output_location": f"s3://{pipeline.output_bucket}/output/{task_id}",
    }
    assert callback["status"] == "completed", callback
    assert len(callback["image_url"]) == (2 if tasktype == "extra-batch-images" else 1)


def test_links_and_inline_images_result_in_the_same_picture(
    pipeline: Pipeline, pictures: str, task_id: str
) -> None:
    with Image.open(BytesIO(pipeline._http.get(f"{pictures}/cat.png").content)) as cat:
        cat.load()
    source = pipeline._http.get(f"{pictures}/cat.png").content
    s3_link = pipeline.upload(f"{task_id}.png", source)
    ways = {
        "http": bodies.v1alpha2(
            f"{task_id}-http", "image-to-image", bodies.image_to_image(f"{pictures}/cat.png")
        ),
        "s3": bodies.v1alpha2(f"{task_id}-s3", "image-to-image", bodies.image_to_image(s3_link)),
        "inline": bodies.v1alpha2(
            f"{task_id}-inline", "image-to-image", bodies.image_to_image(bodies.to_base64(source))
        ),
    }
    drawn = {way: _completed(pipeline, body) for way, body in ways.items()}
    older = bodies.v1alpha1(f"{task_id}-old", "image-to-image", bodies.text_to_image(), image_link=s3_link)
    drawn["image_link"] = _completed(pipeline, older, "v1alpha1")
    pixels = {
        way: hashlib.sha256(_images(pipeline, callback)[0].tobytes()).hexdigest()
        for way, callback in drawn.items()
    }
    assert len(set(pixels.values())) == 1, pixels


def test_the_images_of_a_batch_are_numbered(pipeline: Pipeline, task_id: str) -> None:
    body = bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image(batch_size=4), prefix="some/folder")
    callback = _completed(pipeline, body)

    numbered = [link for link in callback["image_url"] if not link.endswith("-grid.png")]
    stem = numbered[0].removesuffix("-1.png")
    assert numbered == [f"{stem}-{number}.png" for number in range(1, 5)]
    receipts = [
        receipt for receipt in _out(pipeline, callback)["images"] if not receipt["key"].endswith("-grid.png")
    ]
    assert [receipt["key"] for receipt in receipts] == [
        link.removeprefix(f"s3://{pipeline.output_bucket}/") for link in numbered
    ]
    for receipt, link in zip(receipts, numbered, strict=True):
        assert receipt["sha256"] == hashlib.sha256(pipeline.download(link)).hexdigest()
    stored = pipeline.objects(f"some/folder/{task_id}/")
    assert {f"s3://{pipeline.output_bucket}/{key}" for key in stored} == {
        *callback["image_url"],
        callback["output_url"],
    }


def test_an_animation_is_stored_as_gif(pipeline: Pipeline, task_id: str) -> None:
    animation = {"args": [{"enable": True, "video_length": 4, "fps": 8, "format": ["GIF"]}]}
    body = bodies.v1alpha2(
        task_id, "text-to-image", bodies.text_to_image(alwayson_scripts={"AnimateDiff": animation})
    )
    (link,) = _completed(pipeline, body)["image_url"]

    assert link.endswith("-1.gif")
    assert pipeline.download(link).startswith(b"GIF8")
    key = link.removeprefix(f"s3://{pipeline.output_bucket}/")
    head = pipeline.aws.client("s3").head_object(Bucket=pipeline.output_bucket, Key=key)
    assert head["ContentType"] == "image/gif"


@pytest.mark.parametrize(
    "context",
    [
        "",
        "a text: ünï \N{CAT FACE} \n",
        0,
        -1.5,
        12345678901234567890,
        True,
        False,
        None,
        [],
        [1, [None, "x"]],
        {},
        {"a": {"b": [1.25]}},
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_context_is_returned_unchanged(pipeline: Pipeline, task_id: str, context: Any) -> None:
    body = bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image(), context=context)
    echoed = _completed(pipeline, body)["context"]
    assert echoed == context
    assert type(echoed) is type(context)


def test_large_content_is_stored_in_s3_and_the_task_is_completed(pipeline: Pipeline, task_id: str) -> None:
    image = bodies.noise_png(3 * 1024 * 1024)
    assert len(image) >= 3 * 1024 * 1024
    callback = _completed(
        pipeline, bodies.v1alpha2(task_id, "image-to-image", bodies.image_to_image(bodies.to_base64(image)))
    )
    assert [image.size for image in _images(pipeline, callback)] == [(64, 64)]
    bucket = pipeline.deployment.outputs["LargeTaskBucket"]
    listed = pipeline.aws.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed if task_id in entry["Key"]]


def test_a_prompt_that_is_a_link_remains_a_prompt(pipeline: Pipeline, task_id: str) -> None:
    prompt = "http://127.0.0.1:1/never.png"
    callback = _completed(pipeline, bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image(prompt)))
    assert _images(pipeline, callback)[0].info["parameters"].startswith(prompt)


def test_a_dynamic_runtime_uses_the_named_checkpoint(pipeline: Pipeline, task_id: str) -> None:
    content = bodies.text_to_image(alwayson_scripts={"sd_model_checkpoint": bodies.CHECKPOINT})
    body = bodies.v1alpha2(task_id, "text-to-image", content, runtime=bodies.DYNAMIC_RUNTIME)
    out = _out(pipeline, _completed(pipeline, body))
    assert {receipt["model"] for receipt in out["images"]} == {"v1-5-pruned-emaonly"}


def _await_report(pipeline: Pipeline) -> None:
    """Wait until a worker of the dynamic runtime has reported its checkpoints."""
    for worker in pipeline.workers:
        if worker.runtime.name == bodies.DYNAMIC_RUNTIME:
            worker.consumer.wait_for_line("engine's names reported", timeout=60)


def test_an_unknown_checkpoint_is_refused_at_submit_after_a_worker_has_reported_its_checkpoints(
    pipeline: Pipeline, task_id: str
) -> None:
    _await_report(pipeline)
    content = bodies.text_to_image(alwayson_scripts={"sd_model_checkpoint": "v1-5-prund-emaonly.safetensors"})
    body = bodies.v1alpha2(task_id, "text-to-image", content, runtime=bodies.DYNAMIC_RUNTIME)
    answer = pipeline.submit(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_model")
    [fault] = answer.json()["error"]["details"]
    assert fault["path"] == "/task/content/alwayson_scripts/sd_model_checkpoint"
    assert "the nearest is 'v1-5-pruned-emaonly" in fault["message"]
    assert pipeline.row(task_id) is None


def test_a_checkpoint_that_is_only_in_the_bucket_is_accepted_and_the_worker_decides(
    pipeline: Pipeline, task_id: str
) -> None:
    """The local workers have no bucket, so the task fails."""
    _await_report(pipeline)
    place = {
        "Bucket": pipeline.deployment.outputs["ModelBucket"],
        "Key": "Stable-diffusion/brand-new.safetensors",
    }
    pipeline.aws.client("s3").put_object(**place, Body=b"model")
    content = bodies.text_to_image(alwayson_scripts={"sd_model_checkpoint": "brand-new"})
    body = bodies.v1alpha2(task_id, "text-to-image", content, runtime=bodies.DYNAMIC_RUNTIME)
    answer = pipeline.submit(body)
    pipeline.aws.client("s3").delete_object(**place)
    assert answer.status_code == 200
    callback = pipeline.wait_for_callback(task_id)
    assert callback["error"]["code"] == "model_not_found"
    assert (callback["result"], callback["status"], callback["image_url"]) == (False, "failed", [])


def test_a_link_without_a_server_fails_the_task_and_the_callback_names_it(
    pipeline: Pipeline, task_id: str
) -> None:
    no_server = f"http://127.0.0.1:{free_port()}/cat.png"
    body = bodies.v1alpha2(task_id, "image-to-image", bodies.image_to_image(no_server), context={"mine": 1})
    assert pipeline.submit(body).status_code == 200
    callback = pipeline.wait_for_callback(task_id)
    assert callback["error"]["code"] == "input_unavailable"
    assert "init_images" in callback["error"]["message"]
    assert (callback["result"], callback["image_url"], callback["context"]) == (False, [], {"mine": 1})
