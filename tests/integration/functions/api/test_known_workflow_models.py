"""The checkpoints of a workflow are looked up at submit in both layouts of the model bucket."""

from typing import Any

import pytest

from adapters.runtime_report import RuntimeReports
from domain.errors import InvalidTask
from domain.routing import Runtime, Runtimes
from functions.api.known_models import KnownModels
from functions.api.v1alpha2 import decode
from tests.support.deployment import Deployment
from tests.support.workflows import with_input

COMFY = Runtime("comfy", "comfyui", dynamic_model=True)


def check(deployment: Deployment, checkpoint: str) -> None:
    metadata = {"id": "t", "runtime": "comfy", "tasktype": "pipeline", "prefix": "out"}
    content = {"prompt": with_input("4", "ckpt_name", checkpoint)}
    body: dict[str, Any] = {"task": {"metadata": metadata, "content": content}}
    KnownModels(
        s3=deployment.s3,
        bucket=deployment.environment.model_bucket,
        reports=RuntimeReports(deployment.dynamodb, deployment.environment.task_table),
    ).check(decode(body, Runtimes([COMFY])))


@pytest.fixture
def stocked(deployment: Deployment) -> Deployment:
    """Return a deployment with checkpoints in a folder of each engine, and a worker's report."""
    deployment.put_checkpoint("webui.safetensors")
    bucket = deployment.environment.model_bucket
    deployment.s3.put_object(Bucket=bucket, Key="checkpoints/comfy.safetensors", Body=b"model")
    deployment.report("of-the-image.safetensors", runtime="comfy")
    return deployment


@pytest.mark.parametrize("name", ["webui.safetensors", "comfy.safetensors", "of-the-image.safetensors"])
def test_a_checkpoint_of_either_folder_or_of_the_image_is_accepted(stocked: Deployment, name: str) -> None:
    check(stocked, name)


def test_a_checkpoint_that_is_nowhere_is_refused_where_it_is_named(stocked: Deployment) -> None:
    with pytest.raises(InvalidTask) as raised:
        check(stocked, "comfi.safetensors")
    [fault] = raised.value.faults
    assert fault.path == "/task/content/prompt/4/inputs/ckpt_name"
    assert "nearest is 'comfy.safetensors'" in fault.message


def test_a_checkpoint_is_accepted_before_a_worker_has_reported_what_its_image_has(
    deployment: Deployment,
) -> None:
    deployment.put_checkpoint("webui.safetensors")
    check(deployment, "of-the-image.safetensors")
