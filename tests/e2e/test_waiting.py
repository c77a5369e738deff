"""A waiting request is answered by the deployed function when its task has ended."""

from local.pipeline import Pipeline
from tests.support import bodies


def test_a_caller_gets_the_outcome_by_waiting(pipeline: Pipeline, task_id: str) -> None:
    body = bodies.v1alpha2(task_id, "text-to-image", {"prompt": "a cat", "steps": 20})
    assert pipeline.submit(body).status_code == 200
    answer = pipeline.call("GET", f"/v1alpha2/tasks/{task_id}/wait?seconds=25")
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "completed"
    assert answer.json()["images"][0]["url"].startswith("http")

    tag = answer.headers["etag"]
    assert pipeline.call("GET", f"/v1alpha2/tasks/{task_id}").headers["etag"] == tag
    path = f"/v1alpha2/tasks/{task_id}/wait?seconds=1"
    assert pipeline.call("GET", path, headers={"if-none-match": tag}).status_code == 304
    assert pipeline.call("GET", path, headers={"if-none-match": '"x"'}).status_code == 200
