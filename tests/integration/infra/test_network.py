"""How ECS tasks reach the internet, and in which zones they run, according to the settings."""

import pytest

from infra.settings.reading import InvalidConfigError, parse
from tests.support.synthesis import Synthesis, synthesize
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
def synthesis(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    folder = tmp_path_factory.mktemp("network")
    config = folder / "config.yaml"
    config.write_text(f"stackName: {'long-' * 12}\n{_NETWORK}\n{_RUNTIME}\n")
    context = {_LOOKED_UP: "ami-0123456789abcdef0"}
    return synthesize(folder / "out", account=_ACCOUNT, config=config, context=context)


@pytest.fixture(scope="module")
def compute(synthesis: Synthesis) -> Template:
    return synthesis.template("Compute")


def test_cdk_nag_accepts_a_nat_instance_and_zones_by_name(synthesis: Synthesis) -> None:
    assert synthesis.status == 0, synthesis.output


def test_a_nat_instance_replaces_the_gateway(compute: Template) -> None:
    assert compute.resources("EC2::NatGateway") == {}
    instance = compute.one("EC2::Instance")
    assert instance["ImageId"] == "ami-0123456789abcdef0"  # the one that was looked up, and not the latest
    assert instance["SourceDestCheck"] is False
    (interface,) = instance["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is True


def test_a_nat_instance_accepts_only_traffic_from_the_vpc(compute: Template) -> None:
    group = compute.one("EC2::SecurityGroup", "NatSecurityGroup")
    vpc = compute.one("EC2::VPC")
    assert [rule["CidrIp"] for rule in group["SecurityGroupIngress"]] == [vpc["CidrBlock"]]
    assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == ["0.0.0.0/0"]


def test_the_nat_instance_is_deleted_after_the_services(compute: Template) -> None:
    (instance,) = compute.resources("EC2::Instance")
    (service,) = compute.resources("ECS::Service")
    assert instance in compute.closure(service)


def test_the_zones_are_those_of_the_settings(compute: Template) -> None:
    zones = [subnet["AvailabilityZone"] for subnet in compute.properties("EC2::Subnet", "Tasks")]
    assert zones == ["us-east-1b", "us-east-1d"]


def test_deployments_with_long_names_have_different_roles(compute: Template) -> None:
    """A role's name has at most 64 characters, so a long deployment's name is cut and gets a hash."""
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
