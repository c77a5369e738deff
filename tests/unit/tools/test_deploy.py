"""The steps of `make deploy`, with what AWS answers given."""

import pytest

from tests.support.deployed import CORE, SETTINGS, compute, services, stack
from tests.support.stubbed import Stubbed
from tools.cdk import StepFailed
from tools.deploy import Deployment


@pytest.fixture
def stubbed() -> Stubbed:
    return Stubbed()


class Cdk:
    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def __call__(self, *arguments: str) -> None:
        self.calls.append(arguments)


def _deployment(stubbed: Stubbed, cdk: Cdk, output_lines: list[str] | None = None) -> Deployment:
    lines: list[str] = [] if output_lines is None else output_lines
    return Deployment(account=stubbed.account(SETTINGS, outputs=CORE), cdk=cdk, say=lines.append)


def _at_zero(cdk: Cdk) -> list[str]:
    ((command, name, _, _, *options),) = cdk.calls
    assert (command, name) == ("deploy", "Compute")
    return options


def test_on_the_first_deployment_every_service_starts_at_zero(stubbed: Stubbed) -> None:
    stack(stubbed, "sdonecs-compute", None)
    cdk = Cdk()
    assert _deployment(stubbed, cdk).deploy_compute() == ["a", "b"]
    assert _at_zero(cdk) == ["-c", "startAtZero=a,b"]


def test_a_creation_that_was_rolled_back_counts_as_none(stubbed: Stubbed) -> None:
    compute(stubbed, "ROLLBACK_COMPLETE")
    cdk = Cdk()
    assert _deployment(stubbed, cdk).deploy_compute() == ["a", "b"]
    assert _at_zero(cdk) == ["-c", "startAtZero=a,b"]


def test_a_runtime_that_is_added_later_starts_at_zero_and_the_others_keep_their_count(
    stubbed: Stubbed,
) -> None:
    compute(stubbed)
    services(stubbed, a="ACTIVE", b="INACTIVE")
    cdk = Cdk()
    assert _deployment(stubbed, cdk).deploy_compute() == ["b"]
    assert _at_zero(cdk) == ["-c", "startAtZero=b"]


def test_no_update_sets_a_service_back(stubbed: Stubbed) -> None:
    compute(stubbed, "UPDATE_ROLLBACK_COMPLETE")
    services(stubbed, a="ACTIVE", b="ACTIVE")
    cdk = Cdk()
    assert _deployment(stubbed, cdk).deploy_compute() == []
    assert _at_zero(cdk) == []


def test_only_new_services_are_given_the_tasks_that_always_run(stubbed: Stubbed) -> None:
    compute(stubbed)
    parameters = {"cluster": "cluster", "service": "a-service", "desiredCount": 2}
    stubbed.answers("ecs", "update_service", {}, parameters)
    _deployment(stubbed, Cdk()).start_minimum_tasks(["a", "b"])
    compute(stubbed)
    _deployment(stubbed, Cdk()).start_minimum_tasks([])
    stubbed.all_asked()


def test_missing_models_are_named_with_their_commands(stubbed: Stubbed) -> None:
    stubbed.refuses("s3", "head_object", "404")
    output_lines: list[str] = []
    with pytest.raises(StepFailed, match="upload these models"):
        _deployment(stubbed, Cdk(), output_lines).check_models()
    assert "run `aws s3 cp m s3://models/Stable-diffusion/m`" in output_lines[-1]


def test_images_of_the_public_registry_are_imported_before_a_task_needs_them(stubbed: Stubbed) -> None:
    compute(stubbed, CachedImages='["sd-on-ecs-1/alias/webui:1.10"]')
    parameters = {"repositoryName": "sd-on-ecs-1/alias/webui", "imageIds": [{"imageTag": "1.10"}]}
    stubbed.answers("ecr", "batch_get_image", {"images": [{}]}, parameters)
    _deployment(stubbed, Cdk()).import_images()
    compute(stubbed, CachedImages='["sd-on-ecs-1/alias/webui:1.10"]')
    failure = {"failureCode": "ImageNotFound", "failureReason": "no such tag"}
    stubbed.answers("ecr", "batch_get_image", {"failures": [failure]})
    with pytest.raises(StepFailed, match=r"could not import sd-on-ecs-1/alias/webui:1\.10: no such tag"):
        _deployment(stubbed, Cdk()).import_images()


def test_what_an_unfinished_removal_stopped_runs_again(stubbed: Stubbed) -> None:
    compute(stubbed)
    scaler = {"FunctionName": "scaler"}
    stubbed.answers("lambda", "get_function_concurrency", {"ReservedConcurrentExecutions": 0}, scaler)
    stubbed.answers("lambda", "delete_function_concurrency", {}, scaler)
    _deployment(stubbed, Cdk()).resume_scaler()
    stubbed.all_asked()


def test_a_scaler_that_works_is_left_alone(stubbed: Stubbed) -> None:
    compute(stubbed)
    stubbed.answers("lambda", "get_function_concurrency", {}, {"FunctionName": "scaler"})
    _deployment(stubbed, Cdk()).resume_scaler()
    stubbed.all_asked()


def _keys(stubbed: Stubbed, **enabled: bool) -> None:
    items = {"items": [{"id": "plan"}]}
    stubbed.answers("apigateway", "get_usage_plans", items, {"keyId": "key"})
    keys = {"items": [{"id": name} for name in enabled]}
    stubbed.answers("apigateway", "get_usage_plan_keys", keys, {"usagePlanId": "plan"})
    for name, state in enabled.items():
        stubbed.answers(
            "apigateway",
            "get_api_key",
            {"id": name, "value": f"secret of {name}", "enabled": state},
            {"apiKey": name, "includeValue": True},
        )


def test_the_first_task_uses_a_key_that_is_enabled(stubbed: Stubbed) -> None:
    _keys(stubbed, key=False, rotated=True)
    assert _deployment(stubbed, Cdk())._api_key() == "secret of rotated"


def test_an_api_that_a_removal_closed_is_opened(stubbed: Stubbed) -> None:
    _keys(stubbed, key=False)
    stubbed.answers("apigateway", "update_api_key", {})
    stubbed.answers("apigateway", "get_api_key", {"value": "secret"})
    assert _deployment(stubbed, Cdk())._api_key() == "secret"
    stubbed.all_asked()
