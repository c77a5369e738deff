"""The checkpoints of a workflow are looked up at submit in both layouts of the model bucket."""

from typing import Any

import pytest

from adapters.runtime_report import RuntimeReports
from domain.errors import Fault, InvalidTask
from domain.routing import Runtime, Runtimes
from functions.api.known_models import KnownModels
from functions.api.model_bucket import ModelBucket
from functions.api.reports import LastReports
from functions.api.v1alpha2 import decode
from runtimes.base import EngineNames
from tests.support.deployment import Deployment
from tests.support.workflows import with_input

COMFYUI_RUNTIME = Runtime("comfy", "comfyui", dynamic_model=True)


def check(deployment: Deployment, checkpoint: str, lora: str | None = None) -> list[Fault]:
    metadata = {"id": "t", "runtime": "comfy", "tasktype": "pipeline", "prefix": "out"}
    prompt = with_input("4", "ckpt_name", checkpoint)
    if lora is not None:
        inputs = {"model": ["4", 0], "lora_name": lora, "strength_model": 1.0}
        prompt["10"] = {"class_type": "LoraLoaderModelOnly", "inputs": inputs}
        prompt["3"]["inputs"]["model"] = ["10", 0]
    content = {"prompt": prompt}
    body: dict[str, Any] = {"task": {"metadata": metadata, "content": content}}
    return KnownModels(
        bucket=ModelBucket(deployment.s3, deployment.environment.model_bucket),
        reports=LastReports(RuntimeReports(deployment.s3, deployment.environment.task_bucket)),
    ).check(decode(body, Runtimes([COMFYUI_RUNTIME])))


@pytest.fixture
def stocked(deployment: Deployment) -> Deployment:
    """Return a deployment with checkpoints in a folder of each engine, and a worker's report."""
    deployment.put_checkpoint("webui.safetensors")
    bucket = deployment.environment.model_bucket
    deployment.s3.put_object(Bucket=bucket, Key="checkpoints/comfy.safetensors", Body=b"model")
    deployment.report_names(EngineNames({"checkpoints": ["of-the-image.safetensors"]}), "comfy")
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


def test_another_model_that_is_nowhere_gets_a_warning_where_it_is_named(stocked: Deployment) -> None:
    bucket = stocked.environment.model_bucket
    stocked.s3.put_object(Bucket=bucket, Key="Lora/light.safetensors", Body=b"model")
    names = EngineNames({"checkpoints": [], "loras": ["dark.safetensors"]})
    assert check(stocked, "webui.safetensors", "ligth.safetensors") == [], "nothing was reported of LoRAs"
    stocked.report_names(names, "comfy")

    assert check(stocked, "webui.safetensors", "light.safetensors") == []
    assert check(stocked, "webui.safetensors", "dark.safetensors") == []
    assert check(stocked, "webui.safetensors", "pixel_space") == [], "loaders offer names without a file"
    [warning] = check(stocked, "webui.safetensors", "ligth.safetensors")
    assert warning.path == "/task/content/prompt/10/inputs/lora_name"
    assert "nearest is 'light.safetensors'" in warning.message


def test_a_class_of_nodes_that_comfyui_did_not_load_gets_a_warning(stocked: Deployment) -> None:
    classes = [
        "KSamplerAdvanced",
        "CheckpointLoaderSimple",
        "EmptyLatentImage",
        "CLIPTextEncode",
        "VAEDecode",
    ]
    stocked.report_names(EngineNames({"checkpoints": []}, {"node_classes": [*classes, "SaveImage"]}), "comfy")
    [warning] = check(stocked, "webui.safetensors")

    assert warning.path == "/task/content/prompt/3/class_type"
    assert "did you mean 'KSamplerAdvanced'?" in warning.message
