"""The status of a task in the API."""

from typing import Any

import httpx

from local.fakes.sdwebui.process import FakeWebUi
from local.pipeline import Pipeline
from tests.support import bodies


def test_a_finished_task_has_links_that_anyone_can_follow(pipeline: Pipeline, task_id: str) -> None:
    pipeline.submit(bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image(batch_size=2)))
    callback = pipeline.wait_for_callback(task_id)
    answer = pipeline.call("GET", f"/v1alpha2/tasks/{task_id}")

    assert answer.status_code == 200, answer.text
    task = answer.json()
    assert (task["status"], task["progress"]) == ("completed", 1)
    assert [image["s3"] for image in task["images"]] == callback["image_url"]
    links = [image["url"] for image in task["images"]]
    with httpx.Client(trust_env=False) as anyone:
        fetched = [anyone.get(link).content for link in links]
    assert fetched == [pipeline.download(link) for link in callback["image_url"]]


def test_a_requested_mask_can_be_downloaded_like_the_image(pipeline: Pipeline, task_id: str) -> None:
    image = bodies.to_base64(bodies.png(64))
    content = bodies.image_to_image(image, mask=image, override_settings={"return_mask": True})
    answer = pipeline.submit(bodies.v1alpha2(task_id, "image-to-image", content))
    assert answer.status_code == 200, answer.text
    callback = pipeline.wait_for_callback(task_id)
    assert callback["error"] is None
    task = pipeline.call("GET", f"/v1alpha2/tasks/{task_id}").json()
    assert [one["s3"] for one in task["images"]] == callback["image_url"]
    [mask] = task["other_images"]
    assert mask["kind"] == "mask"
    with httpx.Client(trust_env=False) as anyone:
        assert anyone.get(mask["url"]).content == pipeline.download(mask["s3"])


def test_a_finished_task_cannot_be_cancelled(pipeline: Pipeline, task_id: str) -> None:
    pipeline.submit(bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image()))
    pipeline.wait_for_callback(task_id)
    assert pipeline.call("DELETE", f"/v1alpha2/tasks/{task_id}").status_code == 409
    assert pipeline.call("GET", f"/v1alpha2/tasks/{task_id}").json()["status"] == "completed"


def test_cancelling_a_running_task_interrupts_it_and_the_next_task_runs(
    pipeline: Pipeline, task_id: str
) -> None:
    pipeline.submit(bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image(steps=150, n_iter=8)))
    webui = next(each for each in pipeline.workers if each.runtime.name == bodies.RUNTIME).fake
    assert isinstance(webui, FakeWebUi)
    webui.control.wait(step=1)
    assert pipeline.call("DELETE", f"/v1alpha2/tasks/{task_id}").status_code == 202
    callback = pipeline.wait_for_callback(task_id)

    assert (callback["status"], callback["result"], callback["image_url"]) == ("cancelled", False, [])
    assert not [key for key in pipeline.objects(f"output/{task_id}/") if not key.endswith(".out")]
    pipeline.submit(bodies.v1alpha2(f"{task_id}-next", "text-to-image", bodies.text_to_image()))
    assert pipeline.wait_for_callback(f"{task_id}-next")["status"] == "completed"


def test_an_unknown_id_is_a_404(pipeline: Pipeline) -> None:
    answer = pipeline.call("GET", "/v1alpha2/tasks/nobody")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_an_uploaded_image_can_be_used_in_a_task(pipeline: Pipeline, task_id: str) -> None:
    offered = pipeline.call("POST", "/v1alpha2/uploads", content=b"{}").json()
    with httpx.Client(trust_env=False) as anyone:
        sent = anyone.post(offered["url"], data=offered["fields"], files={"file": bodies.png()})
    assert sent.is_success, sent.text
    pipeline.submit(bodies.v1alpha2(task_id, "image-to-image", bodies.image_to_image(offered["s3"])))
    assert pipeline.wait_for_callback(task_id)["status"] == "completed"


def test_a_waiting_task_has_an_estimate_once_its_worker_has_measured_one_like_it(
    pipeline: Pipeline, task_id: str
) -> None:
    def submit(name: str, **content: Any) -> None:
        answer = pipeline.submit(bodies.v1alpha2(name, "text-to-image", bodies.text_to_image(**content)))
        assert answer.status_code == 200, answer.text

    submit(f"{task_id}-first")
    pipeline.wait_for_callback(f"{task_id}-first")
    submit(f"{task_id}-long", steps=150, n_iter=32)
    webui = next(each for each in pipeline.workers if each.runtime.name == bodies.RUNTIME).fake
    assert isinstance(webui, FakeWebUi)
    webui.control.wait(step=1)
    for number in range(8):
        submit(f"{task_id}-{number}", steps=30)
    waiting: dict[str, Any] = {}
    for _ in range(10):  # the worker reports what it has measured with its next heartbeat
        waiting = pipeline.call("GET", f"/v1alpha2/tasks/{task_id}-7/wait?seconds=1").json()
        if waiting["estimated_finish"] is not None:
            break
    runtimes = pipeline.call("GET", "/v1alpha2/runtimes").json()["runtimes"]
    for name in ("long", *range(8)):
        pipeline.call("DELETE", f"/v1alpha2/tasks/{task_id}-{name}")

    assert waiting["status"] == "queued"
    assert waiting["submitted_at"] < waiting["estimated_start"] < waiting["estimated_finish"]
    assert {one["name"]: one["workers"] for one in runtimes}[bodies.RUNTIME] == {"running": 1, "starting": 0}
