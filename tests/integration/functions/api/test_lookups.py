"""How often a submit lists the model bucket and reads the workers' report."""

from typing import Any, cast

import pytest

from adapters.runtime_report import RuntimeReports
from domain.envelope import Submission
from domain.errors import Fault, InvalidTask
from domain.routing import Runtime, Runtimes
from functions.api.known_models import HIT_SECONDS, WARNED_SECONDS, KnownModels
from functions.api.model_bucket import ModelBucket
from functions.api.reports import LastReports
from functions.api.v1alpha2 import decode
from runtimes.base import EngineNames
from tests.support.deployment import Deployment
from tests.support.workflows import with_input

RUNTIME = Runtime("comfy", "comfyui", dynamic_model=True)


class CountingS3:
    """Counts the listings and reads that reach S3."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.requests = 0

    def get_paginator(self, name: str) -> Any:
        self.requests += 1
        return self._real.get_paginator(name)

    def get_object(self, **call: Any) -> Any:
        self.requests += 1
        return self._real.get_object(**call)


class Lookups:
    """The check of a Lambda environment whose clock stands until a test moves it."""

    def __init__(self, deployment: Deployment) -> None:
        self.now = 1000.0
        self.s3 = cast("Any", CountingS3(deployment.s3))
        environment = deployment.environment
        self.models = KnownModels(
            bucket=ModelBucket(self.s3, environment.model_bucket, clock=lambda: self.now),
            reports=LastReports(RuntimeReports(self.s3, environment.task_bucket), clock=lambda: self.now),
            clock=lambda: self.now,
        )

    def check(self, *, checkpoint: str = "webui.safetensors", lora: str = "wrong.safetensors") -> list[Fault]:
        """Check a workflow with a checkpoint and a LoRA."""
        return self.models.check(submission(checkpoint, lora))


def submission(checkpoint: str, lora: str) -> Submission:
    metadata = {"id": "t", "runtime": "comfy", "tasktype": "pipeline", "prefix": "out"}
    prompt = with_input("4", "ckpt_name", checkpoint)
    inputs = {"model": ["4", 0], "lora_name": lora, "strength_model": 1.0}
    prompt["10"] = {"class_type": "LoraLoaderModelOnly", "inputs": inputs}
    prompt["3"]["inputs"]["model"] = ["10", 0]
    return decode({"task": {"metadata": metadata, "content": {"prompt": prompt}}}, Runtimes([RUNTIME]))


def put_lora(deployment: Deployment, name: str) -> None:
    deployment.s3.put_object(Bucket=deployment.environment.model_bucket, Key=f"Lora/{name}", Body=b"model")


@pytest.fixture
def lookups(deployment: Deployment) -> Lookups:
    """Return the check of a deployment with a checkpoint and a report."""
    deployment.put_checkpoint("webui.safetensors")
    deployment.report_names(EngineNames({"checkpoints": [], "loras": ["right.safetensors"]}), "comfy")
    return Lookups(deployment)


def test_names_that_only_lead_to_warnings_are_looked_up_again_at_most_every_five_seconds(
    lookups: Lookups,
) -> None:
    assert len(lookups.check()) == 1
    requests = lookups.s3.requests
    for _ in range(3):
        lookups.now += WARNED_SECONDS / 3
        assert len(lookups.check()) == 1
    assert lookups.s3.requests == requests
    lookups.now += 0.1
    assert len(lookups.check()) == 1
    assert lookups.s3.requests == 2 * requests


def test_a_name_is_no_more_warned_of_five_seconds_after_it_was_uploaded_or_reported(
    lookups: Lookups, deployment: Deployment
) -> None:
    assert len(lookups.check()) == 1
    assert len(lookups.check(lora="other.safetensors")) == 1
    put_lora(deployment, "wrong.safetensors")
    names = EngineNames({"checkpoints": [], "loras": ["other.safetensors"]})
    deployment.report_names(names, "comfy")
    lookups.now += WARNED_SECONDS + 0.1
    assert lookups.check() == []
    assert lookups.check(lora="other.safetensors") == []


def test_a_checkpoint_is_looked_up_again_before_each_refusal(
    lookups: Lookups, deployment: Deployment
) -> None:
    for _ in range(2):
        lookups.now += 0.1
        with pytest.raises(InvalidTask):
            lookups.check(checkpoint="new.safetensors", lora="right.safetensors")
    lookups.now += 0.1
    deployment.put_checkpoint("new.safetensors")
    assert lookups.check(checkpoint="new.safetensors", lora="right.safetensors") == []


def test_a_repeated_submit_whose_checkpoint_is_gone_is_answered_from_what_was_read(
    lookups: Lookups,
) -> None:
    repeated = submission("gone.safetensors", "wrong.safetensors")
    [warning] = lookups.models.warnings(repeated)
    requests = lookups.s3.requests
    lookups.now += HIT_SECONDS / 60
    assert lookups.models.warnings(repeated) == [warning]
    assert lookups.s3.requests == requests
