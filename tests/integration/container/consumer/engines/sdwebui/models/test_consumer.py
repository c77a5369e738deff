"""The whole consumer with a model bucket and a fake: each task uses its own model or gets its own error."""

import json
from typing import Any

from bench.environment import Resources, consumer
from local.emulator import Emulator
from local.fakes.model_file import write_checkpoint
from local.fakes.sdwebui.process import running as fake_webui
from runtimes.sdwebui.task_type import TaskType
from tests.support.models import CKPT, ModelSetup, checkpoint

UNLOADABLE = b'\x0a\0\0\0\0\0\0\0{"a": 1}  ' + b"x" * 100
"""A file with a valid header, which the consumer accepts, but without weights that SD Web UI can load."""

SMALL = {"width": 64, "height": 64, "steps": 1}


def outcomes(aws: Emulator, queue_url: str, count: int) -> dict[str, dict[str, Any]]:
    """Wait for a number of final callbacks and return them by task id."""
    sqs = aws.client("sqs")
    outcomes_by_id: dict[str, dict[str, Any]] = {}
    while len(outcomes_by_id) < count:
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20, MaxNumberOfMessages=10)
        assert answer.get("Messages"), f"no further callback after {sorted(outcomes_by_id)}"
        for message in answer["Messages"]:
            callback = json.loads(message["Body"])
            outcomes_by_id[callback["id"]] = callback
    return outcomes_by_id


def subscribed(aws: Emulator, resources: Resources) -> str:
    """Return a queue that receives all callbacks."""
    sqs = aws.client("sqs")
    url: str = sqs.create_queue(QueueName=f"{resources.bucket}-callbacks")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(
        TopicArn=resources.topic_arn, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    return url


def test_each_task_gets_its_model_or_its_error(aws: Emulator, model_setup: ModelSetup) -> None:
    """The tasks need models that are good, missing, truncated, not loadable, and good again."""
    model_file = model_setup.root.parent / "made.safetensors"
    for name in ("Ünï 模型 (v2)", "second"):
        model_setup.put(
            f"{CKPT}/{name}.safetensors", write_checkpoint(model_file, name.encode()).read_bytes()
        )
    model_setup.put(f"{CKPT}/cut.safetensors", model_file.read_bytes()[:-3])
    model_setup.put(f"{CKPT}/unloadable.safetensors", UNLOADABLE)
    resources = Resources.create(aws)
    callbacks = subscribed(aws, resources)
    submitted = [
        checkpoint("Ünï 模型 (v2)", **SMALL),
        checkpoint("secnd", **SMALL),
        checkpoint("second", **{**SMALL, "prompt": "<lora:nowhere:1>"}),
        checkpoint("cut", **SMALL),
        checkpoint("unloadable", **SMALL),
        checkpoint("second", **SMALL),
        checkpoint("Ünï 模型 (v2)", **SMALL),
    ]
    resources.submit_tasks(aws, submitted, TaskType.TEXT_TO_IMAGE)
    settings = {
        "MODEL_BUCKET": model_setup.bucket,
        "MODEL_DIR": str(model_setup.root),
        "DYNAMIC_MODEL": "true",
        "PREFETCH": "0",  # in their order
    }
    with (
        fake_webui(model_dir=model_setup.root, load_seconds=0, step_seconds=0) as webui,
        consumer(aws, resources, webui.url, settings),
    ):
        callbacks_by_id = outcomes(aws, callbacks, len(submitted))
    codes = [
        (callbacks_by_id[f"task-{number}"]["error"] or {}).get("code", "completed")
        for number in range(len(submitted))
    ]
    assert codes == [
        "completed",
        "model_not_found",
        "model_not_found",
        "model_unusable",
        "model_unusable",
        "completed",
        "completed",
    ]
    assert "'second.safetensors'" in callbacks_by_id["task-1"]["error"]["message"]
    for number, model in ((0, "Ünï 模型 (v2)"), (5, "second")):
        key = callbacks_by_id[f"task-{number}"]["output_url"].removeprefix(f"s3://{resources.bucket}/")
        output_document = json.loads(
            aws.client("s3").get_object(Bucket=resources.bucket, Key=key)["Body"].read()
        )
        assert output_document["images"][0]["model"] == model
