"""Callers have keys and groups of their own."""

from local.pipeline import Pipeline
from tests.support import bodies


def test_every_key_is_accepted_and_a_group_is_in_the_row(pipeline: Pipeline, task_id: str) -> None:
    command = pipeline.deployment.outputs["GetShopAPIKeyCommand"]
    key_id = command.split("--api-key ")[1].split()[0]
    key = pipeline.aws.client("apigateway").get_api_key(apiKey=key_id, includeValue=True)["value"]
    assert key != pipeline.deployment.api_key
    listed = pipeline.call("GET", "/v1alpha2/runtimes", headers={"x-api-key": key})
    assert listed.status_code == 200

    body = bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image(), group="shop/night")
    assert pipeline.submit(body).status_code == 200
    assert pipeline.wait_for_callback(task_id)["result"] is True
    row = pipeline.row(task_id)
    assert row is not None
    assert row["group"] == "shop/night"


def test_a_group_that_sqs_would_refuse_is_refused_with_its_pointer(pipeline: Pipeline, task_id: str) -> None:
    body = bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image(), group="two words")
    (fault,) = pipeline.submit(body).json()["error"]["details"]
    assert fault["path"] == "/task/metadata/group"
