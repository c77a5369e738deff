"""An unknown checkpoint is refused at submit; if that cannot be decided there, the worker decides."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from adapters.runtime_report import MAX_NAMES_BYTES, RuntimeReports
from runtimes.sdwebui.model_names import CHECKPOINT_FOLDER
from tests.support.api_client import Answer, Client
from tests.support.deployment import CHECKPOINT, DYNAMIC, STATIC, Deployment

LISTED = ("sub/own x.safetensors [0123456789]", "sub/own x.safetensors", "sub_own x", "own x", "0123456789")


def submit(api: Client, name: str, task_id: str = "test", **content: Any) -> Answer:
    """Submit a task that names a checkpoint."""
    return api.submit(task_id, content={"alwayson_scripts": {"sd_model_checkpoint": name}} | content)


@pytest.fixture
def deployment_with_models(deployment: Deployment) -> Deployment:
    """Return a deployment with some checkpoints in its bucket and others in its engine."""
    for name in ("dream.safetensors", "sub/deep dream.safetensors", "a/twin.ckpt", "b/twin.ckpt", "v.vae.pt"):
        deployment.put_checkpoint(name)
    deployment.report(*LISTED)
    return deployment


@pytest.mark.parametrize(
    "name",
    [
        "dream.safetensors",
        "dream",
        "dream.safetensors [0123456789]",
        "sub/deep dream.safetensors",
        "sub\\deep dream.safetensors",
        "sub_deep dream",
        "deep dream",
        "a/twin.ckpt",
        *LISTED,
        "own x [ffffffffff]",
        "ffffffffff",
        "f" * 64,
        CHECKPOINT,
        CHECKPOINT.removesuffix(".safetensors"),
    ],
)
def test_a_checkpoint_that_may_exist_is_accepted(deployment_with_models: Deployment, name: str) -> None:
    assert submit(Client(deployment_with_models), name).status == 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no-such", "no checkpoint named 'no-such'; names are case"),
        ("Dream", "the nearest is 'dream.safetensors'"),
        ("deep dream.safetensors", "the nearest is 'sub/deep dream.safetensors'"),
        ("own y", "the nearest is 'own x'"),
        ("twin", "several files are checkpoint 'twin': a/twin.ckpt, b/twin.ckpt"),
        ("v.vae.pt", "no checkpoint"),
        ("x" * 100_000, "no checkpoint"),
    ],
)
def test_an_unknown_checkpoint_is_refused_with_the_nearest_name(
    deployment_with_models: Deployment, name: str, expected: str
) -> None:
    answer = submit(Client(deployment_with_models), name)

    assert (answer.status, answer.code) == (400, "unknown_model")
    assert answer.faults == ["/task/content/alwayson_scripts/sd_model_checkpoint"]
    assert expected in answer.body["error"]["details"][0]["message"]
    assert deployment_with_models.table.get("test") is None


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"override_settings": {"sd_model_checkpoint": "no-such"}}, "/alwayson_scripts/sd_model_checkpoint"),
        ({"refiner_checkpoint": "no-such", "refiner_switch_at": 0.8}, "/refiner_checkpoint"),
        ({"enable_hr": True, "hr_checkpoint_name": "no-such"}, "/hr_checkpoint_name"),
    ],
)
def test_every_field_that_names_a_checkpoint_is_checked(
    deployment_with_models: Deployment, content: dict[str, Any], path: str
) -> None:
    answer = Client(deployment_with_models).submit(content=content)

    assert (answer.status, answer.code, answer.faults) == (400, "unknown_model", [f"/task/content{path}"])


def test_all_unknown_checkpoints_are_reported_at_once(deployment_with_models: Deployment) -> None:
    answer = submit(
        Client(deployment_with_models), "no-such", refiner_checkpoint="nor-this", refiner_switch_at=0.8
    )

    assert len(answer.faults) == 2


def test_a_v1alpha1_request_is_refused_with_its_own_pointer(deployment_with_models: Deployment) -> None:
    scripts = {"task": "text-to-image", "id_task": "test", "sd_model_checkpoint": "no-such"}
    answer = Client(deployment_with_models)("POST", "/v1alpha1", {"alwayson_scripts": scripts})

    assert (answer.code, answer.faults) == ("unknown_model", ["/alwayson_scripts/sd_model_checkpoint"])


def test_a_missing_checkpoint_is_looked_up_again_each_time(deployment_with_models: Deployment) -> None:
    api = Client(deployment_with_models)
    assert submit(api, "new").status == 400
    deployment_with_models.put_checkpoint("new.safetensors")
    assert submit(api, "new").status == 200


def test_a_missing_checkpoint_is_also_looked_up_in_the_reports_of_workers(
    deployment_with_models: Deployment,
) -> None:
    api = Client(deployment_with_models)
    assert submit(api, "new").status == 400
    deployment_with_models.report(*LISTED, "new")
    assert submit(api, "new").status == 200


def test_a_found_checkpoint_is_remembered(deployment_with_models: Deployment) -> None:
    s3 = CountingS3(deployment_with_models.s3)
    api = Client(deployment_with_models, s3=s3)
    for number in range(3):
        assert submit(api, "dream", f"t{number}").status == 200
    assert s3.listed == 1


def test_without_a_bucket_and_reports_the_worker_decides(deployment: Deployment) -> None:
    assert submit(Client(deployment), "no-such").status == 200, "an empty bucket, and no worker ever reported"
    deployment.put_checkpoint("dream.safetensors")
    assert submit(Client(deployment), "nor-this", "second").status == 400


def test_if_s3_fails_the_worker_decides(deployment_with_models: Deployment) -> None:
    assert (
        submit(
            Client(deployment_with_models, s3=CountingS3(deployment_with_models.s3, fails=True)), "no-such"
        ).status
        == 200
    )


def test_an_incomplete_report_refuses_nothing(deployment_with_models: Deployment) -> None:
    deployment_with_models.report(*(f"{number:0100}" for number in range(MAX_NAMES_BYTES // 100)))
    assert submit(Client(deployment_with_models), "no-such").status == 200


def test_a_repeated_request_succeeds_even_if_its_checkpoint_was_deleted(
    deployment_with_models: Deployment,
) -> None:
    api = Client(deployment_with_models)
    assert submit(api, "dream").status == 200
    bucket = deployment_with_models.environment.model_bucket
    deployment_with_models.s3.delete_object(Bucket=bucket, Key="Stable-diffusion/dream.safetensors")
    assert submit(Client(deployment_with_models), "dream").status == 200
    assert submit(Client(deployment_with_models), "dream", "other").status == 400


def test_each_runtime_has_its_own_report(deployment: Deployment) -> None:
    reports = RuntimeReports(deployment.s3, deployment.environment.task_bucket)
    deployment.report("a", "a", "b")

    reported_names = reports.read(DYNAMIC)
    assert reported_names is not None
    assert reported_names.models == {CHECKPOINT_FOLDER: {"a", "b"}}
    assert reports.read(STATIC) is None


class CountingS3:
    """Counts how often the bucket is listed, or fails as S3 does when it throttles."""

    def __init__(self, real: Any, *, fails: bool = False) -> None:
        self._real = real
        self._fails = fails
        self.listed = 0

    def get_paginator(self, name: str) -> Any:
        """Count the listing."""
        self.listed += 1
        if self._fails:
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "later"}}, "ListObjectsV2")
        return self._real.get_paginator(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
