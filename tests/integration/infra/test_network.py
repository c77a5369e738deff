"""The network's ways out of the VPC and its zones, according to the settings."""

from typing import Any

import aws_cdk as cdk
import pytest

from infra.compute.stack import ComputeStack
from infra.core.stack import CoreStack
from infra.settings.reading import InvalidConfigError, parse
from tests.support.template import Template, text

pytestmark = pytest.mark.xdist_group("infra")

_ACCOUNT = "111122223333"
_LOOKED_UP = (
    f"ssm:account={_ACCOUNT}:parameterName=/aws/service/ami-amazon-linux-latest/"
    "al2023-ami-kernel-6.1-arm64:region=us-east-1"
)
_NETWORK = "network: {nat: instance, availabilityZones: [us-east-1b, us-east-1d]}"
_RUNTIME = "modelsRuntime: [{name: r, modelFilename: m}]"


@pytest.fixture(scope="module")
def compute() -> Template:
    settings, _ = parse(f"stackName: {'long-' * 12}\n{_NETWORK}\n{_RUNTIME}")
    app = cdk.App(context={"aws:cdk:bundling-stacks": [], _LOOKED_UP: "ami-0123456789abcdef0"})
    environment = cdk.Environment(account=_ACCOUNT, region="us-east-1")
    core = CoreStack(app, "Core", settings=settings, env=environment)
    ComputeStack(app, "Compute", settings=settings, core=core.resources, env=environment)
    return Template(app.synth().get_stack_by_name("Compute").template)


def test_a_nat_instance_replaces_the_gateway(compute: Template) -> None:
    assert compute.resources("EC2::NatGateway") == {}
    instance = compute.one("EC2::Instance")
    assert instance["ImageId"] == "ami-0123456789abcdef0"  # the one that was looked up, and not the latest
    assert instance["SourceDestCheck"] is False
    (interface,) = instance["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is True


def test_a_nat_instance_accepts_only_traffic_from_the_vpc(compute: Template) -> None:
    group = compute.one("EC2::SecurityGroup", "NatSecurityGroup")
    (vpc,) = compute.resources("EC2::VPC")
    assert [_source(rule) for rule in group["SecurityGroupIngress"]] == [f"{vpc}.CidrBlock"]
    assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == ["0.0.0.0/0"]


def _source(rule: dict[str, Any]) -> str:
    return ".".join(rule["CidrIp"]["Fn::GetAtt"])


def test_the_nat_instance_is_deleted_after_the_services(compute: Template) -> None:
    (instance,) = compute.resources("EC2::Instance")
    (service,) = compute.resources("ECS::Service")
    assert instance in compute.closure(service)


def test_the_zones_are_those_of_the_settings(compute: Template) -> None:
    zones = [each["AvailabilityZone"] for each in compute.properties("EC2::Subnet", "Tasks")]
    assert zones == ["us-east-1b", "us-east-1d"]


def test_deployments_with_long_names_have_different_roles(compute: Template) -> None:
    """Names of roles are shortened, and what is cut off must not be the only difference."""
    (name,) = (text(role["RoleName"]) for role in compute.properties("IAM::Role") if "RoleName" in role)
    assert name.startswith("ecsInstanceRole-long-long-long-")
    assert name.endswith("-us-east-1")
    assert len(name) <= 64 - len("ap-southeast-99") + len("us-east-1")
    assert "long-long-long-long" not in name


@pytest.mark.parametrize(
    ("network", "fault"),
    [
        ("vpcId: vpc-0123456789abcdef0, nat: instance", "network: .*for a new VPC"),
        ("availabilityZones: [us-east-1a, us-east-1a]", "network: .*must differ"),
        ("availabilityZones: [use1-az1]", r"network.availabilityZones\[0\]: "),
        ("nat: none", r"network.nat: found \"none\"; allowed: 'gateway' or 'instance'"),
    ],
)
def test_invalid_networks_are_refused(network: str, fault: str) -> None:
    with pytest.raises(InvalidConfigError, match=fault):
        parse(f"network: {{{network}}}\n{_RUNTIME}")
