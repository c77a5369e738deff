"""The compute stack's template: one ECS task for each GPU, in the right order, on the right instances."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from container.consumer.settings import Settings
from domain.limits import VISIBILITY_SECONDS
from infra.compute.stack import ComputeStack
from infra.core.stack import CoreStack
from infra.settings.reading import parse
from tests.support.synthesis import ROOT, Synthesis, synthesize
from tests.support.template import Template, text

_TMP = "/tmp"  # noqa: S108 - a mount point in a container

pytestmark = pytest.mark.xdist_group("infra")


def _containers(compute: Template, runtime: str = "sdruntime") -> dict[str, dict[str, Any]]:
    definition = compute.one("ECS::TaskDefinition", runtime)
    return {container["Name"]: container for container in definition["ContainerDefinitions"]}


def test_the_containers_start_in_the_order_models_web_ui_consumer(compute: Template) -> None:
    """ECS stops them in the reverse order, so that the consumer gets the signal first."""
    containers = _containers(compute)
    assert list(containers) == ["sync-models", "pull-image", "webui", "consumer"]
    assert "DependsOn" not in containers["sync-models"]
    assert containers["webui"]["DependsOn"] == [{"Condition": "SUCCESS", "ContainerName": "sync-models"}]
    assert containers["consumer"]["DependsOn"] == [{"Condition": "START", "ContainerName": "webui"}]
    assert [container["Essential"] for container in containers.values()] == [False, False, True, True]


def test_the_image_of_web_ui_is_pulled_while_models_are_downloaded(compute: Template) -> None:
    """The ECS agent pulls the image of a container with dependencies only when these are met."""
    containers = _containers(compute)
    pull = containers["pull-image"]
    assert pull["Image"] == containers["webui"]["Image"]
    assert (pull["EntryPoint"], pull["Essential"]) == (["true"], False)
    assert not {"DependsOn", "ResourceRequirements", "MountPoints"} & pull.keys()


def test_only_web_ui_requests_the_gpu(compute: Template) -> None:
    containers = _containers(compute)
    assert containers["webui"]["ResourceRequirements"] == [{"Type": "GPU", "Value": "1"}]
    assert "ResourceRequirements" not in containers["consumer"]
    assert "ResourceRequirements" not in containers["sync-models"]


def test_the_health_check_of_web_ui_uses_a_recorded_route_below_sdapi(compute: Template) -> None:
    """`/` responds before the API is available."""
    check = _containers(compute)["webui"]["HealthCheck"]
    assert "http://127.0.0.1:8080/sdapi/v1/memory" in check["Command"][1]
    assert (check["StartPeriod"] <= 300, check["Interval"] <= 300, check["Retries"] <= 10) == (
        True,
        True,
        True,
    )


def test_a_frozen_consumer_is_replaced(compute: Template) -> None:
    consumer = _containers(compute)["consumer"]
    check = consumer["HealthCheck"]
    *command, script = check["Command"]
    assert command == ["CMD", "python", "-I", "-S"]
    assert (ROOT / script.removeprefix("/app/")).is_file()
    assert consumer["Essential"] is True
    # ECS replaces it within five minutes after the freeze, lease included, but not for one slow check.
    assert check["Retries"] > 1
    assert VISIBILITY_SECONDS + check["Retries"] * (check["Interval"] + check["Timeout"]) <= 300
    assert check["StartPeriod"] <= 300


def test_the_heartbeats_file_is_on_a_volume(compute: Template) -> None:
    """The root filesystem is read-only."""
    consumer = _containers(compute)["consumer"]
    file = _environment(consumer)["HEARTBEAT_FILE"]
    assert str(Path(file).parent) in _mounts(consumer).values()


def test_the_consumer_has_120_seconds_to_stop_and_web_ui_few(compute: Template) -> None:
    containers = _containers(compute)
    assert containers["consumer"]["StopTimeout"] == 120
    assert containers["webui"]["StopTimeout"] <= 10


def test_the_exit_status_75_of_the_consumer_replaces_the_ecs_task(compute: Template) -> None:
    containers = _containers(compute)
    assert containers["consumer"]["RestartPolicy"]["Enabled"] is True
    assert containers["consumer"]["RestartPolicy"]["IgnoredExitCodes"] == [75]
    assert containers["webui"]["RestartPolicy"]["Enabled"] is True
    assert "RestartPolicy" not in containers["sync-models"]


def test_the_ecs_task_uses_nothing_that_managed_instances_refuse(compute: Template) -> None:
    """They refuse Docker volumes, tmpfs, shared memory, ephemeral storage and Docker labels."""
    definition = compute.one("ECS::TaskDefinition", "sdruntime")
    assert definition["RequiresCompatibilities"] == ["MANAGED_INSTANCES"]
    assert definition["NetworkMode"] == "awsvpc"
    assert "EphemeralStorage" not in definition
    assert all(volume["Host"] == {} for volume in definition["Volumes"])
    for container in definition["ContainerDefinitions"]:
        assert "DockerLabels" not in container
        assert {"Tmpfs", "SharedMemorySize"}.isdisjoint(container.get("LinuxParameters", {}))


def _mounts(container: dict[str, Any]) -> dict[str, str]:
    return {mount["SourceVolume"]: mount["ContainerPath"] for mount in container["MountPoints"]}


def test_web_ui_can_save_its_settings_file_whatever_user_it_runs_as(
    tmp_path: Path, compute: Template
) -> None:
    """It saves the file after switching a checkpoint, but another user has copied the file to its place."""
    (command,) = _containers(compute)["sync-models"]["Command"]
    copy, then, _ = command.partition(" && exec ")
    assert then
    subprocess.run(
        ["/bin/sh", "-ec", copy.replace("/opt/sd-on-ecs", str(tmp_path))], cwd=ROOT, check=True, umask=0o077
    )
    assert (tmp_path / "settings.json").stat().st_mode & 0o777 == 0o666


def _compute_of(runtime: str) -> Template:
    settings, _ = parse(f"modelsRuntime: [{{name: r, modelFilename: m, {runtime}}}]")
    app = cdk.App(context={"aws:cdk:bundling-stacks": []})
    core = CoreStack(app, "Core", settings=settings)
    ComputeStack(app, "Compute", settings=settings, core=core.resources)
    return Template(app.synth().get_stack_by_name("Compute").template)


def test_an_entry_point_from_the_settings_starts_without_the_roles_credentials(compute: Template) -> None:
    assert "EntryPoint" not in _containers(compute)["webui"]
    webui = _containers(_compute_of("webui: {entryPoint: [python3, -c], command: ['']}"), "rTask")["webui"]
    assert webui["EntryPoint"][-2:] == ["python3", "-c"]
    program = "import os; print([name for name in os.environ if name.startswith('AWS_CONTAINER')])"
    completed = subprocess.run(
        [*webui["EntryPoint"][:-2], sys.executable, "-c", program],
        env={
            "PATH": os.environ["PATH"],
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/x",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout == "[]\n"


def test_an_image_whose_tag_can_change_gets_a_warning(standard: Synthesis, tmp_path: Path) -> None:
    assert [path.split("/")[2] for path in _warnings(standard)] == ["sdruntime", "sddynamic"]
    config = tmp_path / "pinned.yaml"
    digest = "sha256:" + "0" * 64
    config.write_text(
        f"modelsRuntime: [{{name: r, modelFilename: m, webui: {{image: 'a.example/x@{digest}'}}}}]\n"
    )
    pinned = synthesize(tmp_path / "out", config=config)
    assert pinned.status == 0, pinned.output
    assert _warnings(pinned) == []


def _warnings(synthesis: Synthesis) -> list[str]:
    metadata = synthesis.read("manifest.json")["artifacts"]["Compute"].get("metadata") or synthesis.read(
        "Compute.metadata.json"
    )
    return [
        path
        for path, entries in metadata.items()
        for entry in entries
        if entry["type"] == "aws:cdk:warning" and "give its digest" in entry["data"]
    ]


def test_all_three_containers_share_the_models(compute: Template) -> None:
    containers = _containers(compute)
    assert _mounts(containers["sync-models"]) == {
        "models": "/models",
        "tmp": _TMP,
        "webui-settings": "/opt/sd-on-ecs",
    }
    assert _mounts(containers["webui"]) == {
        "models": "/opt/ml/code/models",
        "webui-settings": "/opt/sd-on-ecs",
    }
    assert _mounts(containers["consumer"]) == {"models": "/models", "tmp": _TMP}
    for name in ("sync-models", "consumer"):
        assert containers[name]["ReadonlyRootFilesystem"] is True


def test_the_model_folder_of_the_consumer_is_the_mounted_one(compute: Template) -> None:
    containers = _containers(compute)
    environment = _environment(containers["consumer"])
    assert environment["MODEL_DIR"] == "/models"
    assert environment["ENGINE_URL"] == "http://127.0.0.1:8080"
    assert environment == _environment(containers["sync-models"])


def _environment(container: dict[str, Any]) -> dict[str, Any]:
    return {pair["Name"]: pair["Value"] for pair in container["Environment"]}


def test_the_variables_are_settings_of_the_consumer_and_include_all_required_ones(compute: Template) -> None:
    names = {name.lower() for name in _environment(_containers(compute)["consumer"])}
    fields = Settings.model_fields
    assert names <= set(fields)
    assert {name for name, field in fields.items() if field.is_required()} <= names


def test_static_and_dynamic_runtimes_start_web_ui_with_different_variables(compute: Template) -> None:
    static = _environment(_containers(compute, "sdruntime")["webui"])
    dynamic = _environment(_containers(compute, "sddynamic")["webui"])
    assert static["SD_MODEL_CHECKPOINT"] == "v1-5-pruned-emaonly.safetensors"
    assert dynamic["DYNAMIC_SD_MODEL"] == "true"
    assert static["API_ONLY"] == dynamic["API_ONLY"] == "true"


def test_services_run_on_their_own_capacity_and_never_on_fargate(compute: Template) -> None:
    """ECS tasks run on-demand and on spot by the settings' weights, the first one on-demand."""
    for runtime, weights in (("sdruntime", [(1, 1), (1, None)]), ("sddynamic", [(1, 1)])):
        service = compute.one("ECS::Service", runtime)
        assert "LaunchType" not in service
        strategy = service["CapacityProviderStrategy"]
        assert [(item["Weight"], item.get("Base")) for item in strategy] == weights
        providers = compute.resources("ECS::CapacityProvider", runtime)
        assert {item["CapacityProvider"]["Ref"] for item in strategy} == set(providers)


def test_capacity_requests_gpus_of_the_allowed_types(compute: Template) -> None:
    providers = compute.properties("ECS::CapacityProvider", "sdruntime")
    assert len(providers) == 2
    price_limits = {}
    for properties in providers:
        provider = properties["ManagedInstancesProvider"]
        launch = provider["InstanceLaunchTemplate"]
        requirements = launch["InstanceRequirements"]
        assert requirements["AcceleratorCount"] == {"Min": 1}
        assert requirements["AcceleratorTypes"] == ["gpu"]
        assert requirements["AcceleratorManufacturers"] == ["nvidia"]
        assert requirements["AllowedInstanceTypes"] == ["g6.2xlarge", "g5.2xlarge"]
        assert launch["LocalStorageConfiguration"] == {"UseLocalStorage": True}
        assert 30 <= launch["StorageConfiguration"]["StorageSizeGiB"] <= 16384
        assert provider["InfrastructureOptimization"] == {"ScaleInAfter": 30}
        assert provider["AutoRepairConfiguration"] == {"ActionsStatus": "ENABLED"}
        prices = {key: value for key, value in requirements.items() if "Price" in key}
        price_limits[launch["CapacityOptionType"]] = prices
    # Else the second type would be excluded, because it costs more than 20 % more than the first.
    assert price_limits == {
        "ON_DEMAND": {"OnDemandMaxPricePercentageOverLowestPrice": 999_999},
        "SPOT": {"MaxSpotPriceAsPercentageOfOptimalOnDemandPrice": 100},
    }


def test_the_instance_roles_name_has_the_prefix_that_the_managed_policy_requires(compute: Template) -> None:
    (name,) = (role["RoleName"] for role in compute.properties("IAM::Role") if "RoleName" in role)
    assert text(name).startswith("ecsInstanceRole")
    assert len(text(name)) <= 64


@pytest.mark.parametrize(("runtime", "least", "most"), [("sdruntime", 100, 200), ("sddynamic", 75, 150)])
def test_a_large_service_is_updated_in_parts(compute: Template, runtime: str, least: int, most: int) -> None:
    deployment = compute.one("ECS::Service", runtime)["DeploymentConfiguration"]
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (least, most)


def test_a_deployment_does_not_stop_or_move_busy_ecs_tasks(compute: Template) -> None:
    for service in compute.properties("ECS::Service"):
        assert service["AvailabilityZoneRebalancing"] == "DISABLED"
        assert service["DeploymentConfiguration"]["DeploymentCircuitBreaker"] == {
            "Enable": True,
            "Rollback": True,
        }
        assert service["EnableExecuteCommand"] is False


def test_only_a_service_that_does_not_exist_yet_starts_at_zero(compute: Template) -> None:
    """A count in the template of an existing service would reset what auto scaling has started."""
    assert "DesiredCount" not in compute.one("ECS::Service", "sdruntime")
    assert compute.one("ECS::Service", "sddynamic")["DesiredCount"] == 0


@pytest.mark.parametrize("type_", ["ECS::Service", "ECS::CapacityProvider"])
def test_the_network_is_created_before_the_services_and_deleted_after_them(
    compute: Template, type_: str
) -> None:
    """ECS tasks that are stopped need the network to release their image tasks."""
    needed = {
        name
        for kind in (
            "NatGateway",
            "Route",
            "SubnetRouteTableAssociation",
            "VPCEndpoint",
            "VPCGatewayAttachment",
        )
        for name in compute.resources(f"EC2::{kind}")
    }
    assert len(needed) == 1 + 6 + 6 + 2 + 1
    for name in compute.resources(type_):
        assert needed <= compute.closure(name), name


def test_a_service_keeps_the_permission_to_pull_images_to_its_end(compute: Template) -> None:
    for name in compute.resources("ECS::Service"):
        policies = {
            logical_id for logical_id in compute.closure(name) if "ExecutionRoleDefaultPolicy" in logical_id
        }
        assert len(policies) == 1, name


def test_web_ui_cannot_be_reached_from_outside_the_ecs_task(compute: Template) -> None:
    (group,) = compute.resources("EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in compute.one("EC2::SecurityGroup")
    assert compute.resources("EC2::SecurityGroupIngress") == {}
    for service in compute.properties("ECS::Service"):
        network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert network["AssignPublicIp"] == "DISABLED"
        assert group in text(network["SecurityGroups"])
    assert all("PortMappings" not in container for container in _containers(compute).values())


def test_the_network_is_three_zones_one_nat_and_free_endpoints(compute: Template) -> None:
    """Traffic to S3 and DynamoDB does not pass the NAT gateway."""
    subnets = compute.properties("EC2::Subnet", "Tasks")
    assert [subnet["AvailabilityZone"] for subnet in subnets] == [
        {"Fn::Select": [index, {"Fn::GetAZs": ""}]} for index in range(3)
    ]
    assert len(compute.resources("EC2::Subnet")) == 6
    assert len(compute.resources("EC2::NatGateway")) == 1
    endpoints = compute.properties("EC2::VPCEndpoint")
    assert {endpoint["VpcEndpointType"] for endpoint in endpoints} == {"Gateway"}
    names = " ".join(text(endpoint["ServiceName"]) for endpoint in endpoints)
    assert ".s3" in names
    assert ".dynamodb" in names


def test_the_settings_file_of_sd_on_eks_deploys_one_service(sd_on_eks: Synthesis) -> None:
    compute = sd_on_eks.template("Compute")
    assert len(compute.resources("ECS::Service")) == 1
    assert len(compute.resources("ECS::CapacityProvider")) == 2
    assert sd_on_eks.output.count("ignored, because it has no meaning on ECS") == 3
