"""The steps of `make deploy`, with stubbed responses of AWS."""

import pytest

from tests.support.deployed import CORE, SETTINGS, add_compute_stack, add_services, add_stack
from tests.support.stubbed import StubbedClients
from tools.cdk import StepFailed
from tools.deploy import Deployment


@pytest.fixture
def stubbed() -> StubbedClients:
    return StubbedClients()


class FakeCdk:
    """Records the arguments with which the CDK's command line would be called."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def __call__(self, *arguments: str) -> None:
        self.calls.append(arguments)


def _deployment(stubbed: StubbedClients, cdk: FakeCdk, output_lines: list[str] | None = None) -> Deployment:
    lines: list[str] = [] if output_lines is None else output_lines
    return Deployment(account=stubbed.account(SETTINGS, outputs=CORE), cdk=cdk, say=lines.append)


def _deploy_options(cdk: FakeCdk) -> list[str]:
    ((command, name, _, _, *options),) = cdk.calls
    assert (command, name) == ("deploy", "Compute")
    return options


def test_on_the_first_deployment_every_service_starts_at_zero(stubbed: StubbedClients) -> None:
    add_stack(stubbed, "sdonecs-compute", None)
    cdk = FakeCdk()
    assert _deployment(stubbed, cdk).deploy_compute() == ["a", "b"]
    assert _deploy_options(cdk) == ["-c", "startAtZero=a,b"]


def test_a_creation_that_was_rolled_back_counts_as_none(stubbed: StubbedClients) -> None:
    add_compute_stack(stubbed, "ROLLBACK_COMPLETE")
    cdk = FakeCdk()
    assert _deployment(stubbed, cdk).deploy_compute() == ["a", "b"]
    assert _deploy_options(cdk) == ["-c", "startAtZero=a,b"]


def test_a_runtime_that_is_added_later_starts_at_zero_and_the_others_keep_their_count(
    stubbed: StubbedClients,
) -> None:
    add_compute_stack(stubbed)
    add_services(stubbed, a="ACTIVE", b="INACTIVE")
    cdk = FakeCdk()
    assert _deployment(stubbed, cdk).deploy_compute() == ["b"]
    assert _deploy_options(cdk) == ["-c", "startAtZero=b"]


def test_no_update_sets_a_service_back(stubbed: StubbedClients) -> None:
    add_compute_stack(stubbed, "UPDATE_ROLLBACK_COMPLETE")
    add_services(stubbed, a="ACTIVE", b="ACTIVE")
    cdk = FakeCdk()
    assert _deployment(stubbed, cdk).deploy_compute() == []
    assert _deploy_options(cdk) == []


def test_only_new_services_are_given_the_tasks_that_always_run(stubbed: StubbedClients) -> None:
    add_compute_stack(stubbed)
    parameters = {"cluster": "cluster", "service": "a-service", "desiredCount": 2}
    stubbed.add_response("ecs", "update_service", {}, parameters)
    _deployment(stubbed, FakeCdk()).start_minimum_tasks(["a", "b"])
    add_compute_stack(stubbed)
    _deployment(stubbed, FakeCdk()).start_minimum_tasks([])
    stubbed.assert_all_called()


def test_missing_models_are_named_with_their_commands(stubbed: StubbedClients) -> None:
    stubbed.add_error("s3", "head_object", "404")
    output_lines: list[str] = []
    with pytest.raises(StepFailed, match="upload these models"):
        _deployment(stubbed, FakeCdk(), output_lines).check_models()
    assert "run `aws s3 cp m s3://models/Stable-diffusion/m`" in output_lines[-1]


def test_images_of_the_public_registry_are_imported_before_a_task_needs_them(stubbed: StubbedClients) -> None:
    add_compute_stack(stubbed, CachedImages='["sd-on-ecs-1/alias/webui:1.10"]')
    parameters = {"repositoryName": "sd-on-ecs-1/alias/webui", "imageIds": [{"imageTag": "1.10"}]}
    stubbed.add_response("ecr", "batch_get_image", {"images": [{}]}, parameters)
    _deployment(stubbed, FakeCdk()).import_images()
    add_compute_stack(stubbed, CachedImages='["sd-on-ecs-1/alias/webui:1.10"]')
    failure = {"failureCode": "ImageNotFound", "failureReason": "no such tag"}
    stubbed.add_response("ecr", "batch_get_image", {"failures": [failure]})
    with pytest.raises(StepFailed, match=r"could not import sd-on-ecs-1/alias/webui:1\.10: no such tag"):
        _deployment(stubbed, FakeCdk()).import_images()


def test_what_an_unfinished_removal_stopped_runs_again(stubbed: StubbedClients) -> None:
    add_compute_stack(stubbed)
    scaler = {"FunctionName": "scaler"}
    stubbed.add_response("lambda", "get_function_concurrency", {"ReservedConcurrentExecutions": 0}, scaler)
    stubbed.add_response("lambda", "delete_function_concurrency", {}, scaler)
    _deployment(stubbed, FakeCdk()).resume_scaler()
    stubbed.assert_all_called()


def test_a_scaler_that_works_is_left_alone(stubbed: StubbedClients) -> None:
    add_compute_stack(stubbed)
    stubbed.add_response("lambda", "get_function_concurrency", {}, {"FunctionName": "scaler"})
    _deployment(stubbed, FakeCdk()).resume_scaler()
    stubbed.assert_all_called()


def _add_api_keys(stubbed: StubbedClients, **enabled: bool) -> None:
    items = {"items": [{"id": "plan"}]}
    stubbed.add_response("apigateway", "get_usage_plans", items, {"keyId": "key"})
    keys = {"items": [{"id": name} for name in enabled]}
    stubbed.add_response("apigateway", "get_usage_plan_keys", keys, {"usagePlanId": "plan"})
    for name, state in enabled.items():
        stubbed.add_response(
            "apigateway",
            "get_api_key",
            {"id": name, "value": f"secret of {name}", "enabled": state},
            {"apiKey": name, "includeValue": True},
        )


def test_the_first_task_uses_a_key_that_is_enabled(stubbed: StubbedClients) -> None:
    _add_api_keys(stubbed, key=False, rotated=True)
    assert _deployment(stubbed, FakeCdk())._api_key() == "secret of rotated"


def test_an_api_that_a_removal_closed_is_opened(stubbed: StubbedClients) -> None:
    _add_api_keys(stubbed, key=False)
    stubbed.add_response("apigateway", "update_api_key", {})
    stubbed.add_response("apigateway", "get_api_key", {"value": "secret"})
    assert _deployment(stubbed, FakeCdk())._api_key() == "secret"
    stubbed.assert_all_called()
