"""Submitting: what is answered, what is written, and that one id makes one job."""

from tests.unit.api.client import Client, seed_v1alpha1, task
from tests.unit.api.deployment import CHECKPOINT, DYNAMIC, Deployment


def test_v1alpha2_is_accepted(api: Client, deployment: Deployment) -> None:
    """A good task is a row, a message on its runtime's queue, and the seed's answer."""
    answer = api.submit("test-i2i", context={"any": ["json", 1, None]})
    bucket = deployment.environment.output_bucket
    href = "https://abc.execute-api.us-east-1.amazonaws.com/prod/v1alpha2/tasks/test-i2i"
    assert answer.status == 200
    assert answer.body == {
        "id_task": "test-i2i",
        "runtime": DYNAMIC,
        "output_location": f"s3://{bucket}/output/test-i2i",
        "id": "test-i2i",
        "status": "queued",
        "links": {
            "status": {"method": "GET", "href": href},
            "cancel": {"method": "DELETE", "href": href},
        },
        "warnings": [],
    }
    row = deployment.row("test-i2i")
    assert row.text("published_at") is not None
    [message] = deployment.messages()
    assert message["metadata"]["attempt"] == row.attempt
    assert message["metadata"]["context"] == {"any": ["json", 1, None]}
    assert message["content"]["prompt"] == "a cat"


def test_v1alpha1_is_accepted(api: Client, deployment: Deployment) -> None:
    """The seed's request of the first version: its own answer, the same message."""
    answer = api("POST", "/v1alpha1", seed_v1alpha1())
    assert answer.status == 200
    assert answer.body["id_task"] == "test-i2i"
    assert answer.body["sd_model_checkpoint"] == CHECKPOINT
    assert answer.body["output_location"] == f"s3://{deployment.environment.output_bucket}/output/test-i2i"
    assert "runtime" not in answer.body
    [message] = deployment.messages()
    assert message["content"]["init_images"] == ["https://example.org/cat.png"]


def test_bad(api: Client) -> None:
    """Smoke."""
    answer = api("POST", "/v1alpha2", task("..", runtime="nope"))
    assert answer.status == 400
    assert answer.faults == ["/task/metadata/id", "/task/metadata/runtime"]
    assert api("GET", "/v1alpha2").status == 405
    assert api("GET", "/nope").status == 404
