"""The dead-letter function and the sweep, as deployed."""

import json
import time

from local.pipeline import Pipeline
from tests.support import bodies

ARCHIVED_SECONDS = 60.0


def _archived(pipeline: Pipeline, body: str) -> str:
    """Wait until a body is in the archive; return its key."""
    s3, bucket = pipeline.aws.client("s3"), pipeline.deployment.outputs["LargeTaskBucket"]
    deadline = time.monotonic() + ARCHIVED_SECONDS
    while time.monotonic() < deadline:
        for entry in s3.list_objects_v2(Bucket=bucket, Prefix="dead-letters/").get("Contents", []):
            key: str = entry["Key"]
            if s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() == body:
                return key
        time.sleep(0.2)  # S3 has no event for this
    raise AssertionError("the message was not archived")


def test_a_message_that_is_no_task_is_archived_and_the_consumer_continues(
    pipeline: Pipeline, task_id: str
) -> None:
    body = f"hello from {task_id} ☃"
    pipeline.aws.client("sns").publish(
        TopicArn=pipeline.deployment.outputs["TaskTopicArn"],
        Message=body,
        MessageAttributes={"runtime": {"DataType": "String", "StringValue": bodies.RUNTIME}},
    )
    pipeline.submit(bodies.v1alpha2(task_id, "text-to-image", bodies.text_to_image()))
    assert pipeline.wait_for_callback(task_id)["status"] == "completed"
    assert _archived(pipeline, body).startswith("dead-letters/")


def test_the_sweep_runs_with_its_deployed_role_environment_and_indexes(pipeline: Pipeline) -> None:
    lambda_ = pipeline.aws.client("lambda")
    names = [each["FunctionName"] for each in lambda_.list_functions()["Functions"]]
    [name] = [name for name in names if "Sweep" in name]
    answer = lambda_.invoke(FunctionName=name, Payload=b"{}")
    report = json.load(answer["Payload"])
    assert "FunctionError" not in answer, report
    assert report["failed"] == 0
    assert report["unfinished"] is False
