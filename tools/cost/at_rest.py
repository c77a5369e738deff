"""Compute what a month without any task costs, from the resources in the CloudFormation templates."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tools.cost import assumptions, prices
from tools.cost.synthesis import Deployment

Properties = dict[str, Any]


class UnknownResource(Exception):
    """A template has a resource of a type that has no price here."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A line of the page: a number of units of an item, and what they cost together."""

    item: str
    count: float
    unit: str
    dollars: float
    """In a month, or for a number of images."""


FREE_TYPES: Final = re.compile(
    r"AWS::(IAM|ApplicationAutoScaling)::\w+"
    r"|AWS::ApiGateway::(?!Stage)\w+"
    r"|AWS::EC2::(VPC|Subnet|RouteTable|SubnetRouteTableAssociation|Route|InternetGateway"
    r"|VPCGatewayAttachment|SecurityGroup\w*)"
    r"|AWS::ECR::PullThroughCacheRule"
    r"|AWS::ECS::(Service|TaskDefinition|CapacityProvider|ClusterCapacityProviderAssociations)"
    r"|AWS::Lambda::(Function|Alias|Permission)"
    r"|AWS::Logs::LogGroup"
    r"|AWS::(SNS|SQS)::\w+"
    r"|AWS::S3::(Bucket|BucketPolicy)"
)
"""Types of resources that cost nothing while there are no tasks."""


def charges_at_rest(deployment: Deployment) -> list[Charge]:
    """Return the charges of a month without tasks, one for each item; raise UnknownResource."""
    model_storage = Charge(
        "models in S3", assumptions.MODEL_GB, "GB", assumptions.MODEL_GB * prices.S3_GB_MONTH
    )
    sums: dict[tuple[str, str], tuple[float, float]] = {}
    for name, resource in deployment.resources.items():
        for charge in _charges(deployment, name, resource):
            count, dollars = sums.get((charge.item, charge.unit), (0.0, 0.0))
            sums[charge.item, charge.unit] = (count + charge.count, dollars + charge.dollars)
    charges = [Charge(item, count, unit, dollars) for (item, unit), (count, dollars) in sums.items()]
    return sorted([*charges, model_storage], key=lambda charge: -charge.dollars)


def total(charges: list[Charge]) -> float:
    """Return the sum of charges."""
    return sum(charge.dollars for charge in charges)


def _charges(deployment: Deployment, name: str, resource: dict[str, Any]) -> Iterator[Charge]:
    resource_type = resource["Type"]
    if resource_type in _CHARGES_BY_TYPE:
        yield from _CHARGES_BY_TYPE[resource_type](deployment, resource.get("Properties", {}))
    elif not FREE_TYPES.fullmatch(resource_type):
        raise UnknownResource(f"{name}: say in tools/cost/at_rest.py what {resource_type} costs")


def _nat_gateway(_: Deployment, __: Properties) -> Iterator[Charge]:
    yield Charge("NAT gateway", 1, "", prices.NAT_GATEWAY_HOUR * prices.HOURS_PER_MONTH)


def _address(*_: Any) -> Iterator[Charge]:
    yield Charge("public IPv4 address", 1, "", prices.PUBLIC_ADDRESS_HOUR * prices.HOURS_PER_MONTH)


def _instance(_: Deployment, properties: Properties) -> Iterator[Charge]:
    instance_type = properties["InstanceType"]
    yield Charge(
        f"NAT instance ({instance_type})",
        1,
        "",
        prices.NAT_INSTANCES[instance_type] * prices.HOURS_PER_MONTH,
    )
    yield Charge("its disk", assumptions.NAT_DISK_GB, "GB", assumptions.NAT_DISK_GB * prices.EBS_GB_MONTH)
    if any(
        interface.get("AssociatePublicIpAddress") for interface in properties.get("NetworkInterfaces", [])
    ):
        yield from _address()


def _endpoint(_: Deployment, properties: Properties) -> Iterator[Charge]:
    if properties.get("VpcEndpointType", "Gateway") != "Gateway":
        count = len(properties["SubnetIds"])
        dollars = count * prices.INTERFACE_ENDPOINT_HOUR * prices.HOURS_PER_MONTH
        yield Charge("interface endpoints, in each zone", count, "", dollars)


def _alarm(_: Deployment, properties: Properties) -> Iterator[Charge]:
    metrics = properties.get("Metrics")
    count = sum("MetricStat" in metric for metric in metrics) if metrics else 1
    yield Charge("alarms", count, "metrics", count * prices.ALARM_METRIC_MONTH)


def _dashboard(_: Deployment, __: Properties) -> Iterator[Charge]:
    yield Charge("dashboard (the first three in an account are free)", 1, "", prices.DASHBOARD_MONTH)


def _version(deployment: Deployment, properties: Properties) -> Iterator[Charge]:
    function = _function(deployment, properties["FunctionName"])
    if "SnapStart" in function:
        memory_gb = function["MemorySize"] / prices.MIB_PER_GIB
        dollars = memory_gb * prices.SNAP_START_CACHE_GB_SECOND * prices.HOURS_PER_MONTH * 3600
        yield Charge("SnapStart: the cached snapshot of the API", function["MemorySize"], "MB", dollars)


def _schedule(deployment: Deployment, properties: Properties) -> Iterator[Charge]:
    minutes = _interval_minutes(properties["ScheduleExpression"])
    for target in properties["Targets"]:
        memory_gb = _function(deployment, target["Arn"])["MemorySize"] / prices.MIB_PER_GIB
        count = prices.HOURS_PER_MONTH * 60 / minutes
        invocation = (
            assumptions.FUNCTION_SECONDS * memory_gb * prices.LAMBDA_GB_SECOND + prices.LAMBDA_REQUEST
        )
        invocation += assumptions.INVOCATION_LOG_KB / 1e6 * prices.LOG_GB
        yield Charge("scheduled invocations", count, "a month", count * invocation)


def _event_source(_: Deployment, __: Properties) -> Iterator[Charge]:
    count = assumptions.POLLS_PER_MINUTE * 60 * prices.HOURS_PER_MONTH
    yield Charge("Lambda's polls of empty queues", count, "a month", count * prices.SQS_REQUEST)


def _cluster(_: Deployment, properties: Properties) -> Iterator[Charge]:
    settings = properties.get("ClusterSettings", [])
    if any(setting["Name"] == "containerInsights" and setting["Value"] != "disabled" for setting in settings):
        count = assumptions.CONTAINER_INSIGHTS_METRICS
        yield Charge("Container Insights", count, "metrics", count * prices.METRIC_MONTH)


def _repository(_: Deployment, __: Properties) -> Iterator[Charge]:
    dollars = assumptions.ENGINE_IMAGE_GB * prices.ECR_GB_MONTH
    yield Charge("image of the inference server in ECR", assumptions.ENGINE_IMAGE_GB, "GB", dollars)


def _table(_: Deployment, properties: Properties) -> Iterator[Charge]:
    has_backup = properties.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled")
    dollars = assumptions.TABLE_GB * (prices.TABLE_GB_MONTH + (prices.BACKUP_GB_MONTH if has_backup else 0))
    yield Charge("table of tasks and its backup", assumptions.TABLE_GB, "GB", dollars)


def _key(_: Deployment, __: Properties) -> Iterator[Charge]:
    yield Charge("keys in KMS", 1, "", prices.KEY_MONTH)


def _secret(_: Deployment, __: Properties) -> Iterator[Charge]:
    yield Charge("secrets", 1, "", prices.SECRET_MONTH)


def _no_charge(_: Deployment, __: Properties) -> Iterator[Charge]:
    yield from ()


_CHARGES_BY_TYPE: Final[dict[str, Callable[[Deployment, Properties], Iterator[Charge]]]] = {
    "AWS::ApiGateway::Stage": _no_charge,  # its metrics are sent with requests only: `images.py`
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::DynamoDB::Table": _table,
    "AWS::EC2::EIP": _address,
    "AWS::EC2::Instance": _instance,
    "AWS::EC2::NatGateway": _nat_gateway,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::ECR::Repository": _repository,
    "AWS::ECS::Cluster": _cluster,
    "AWS::Events::Rule": _schedule,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::EventSourceMapping": _event_source,
    "AWS::Lambda::Version": _version,
    "AWS::SecretsManager::Secret": _secret,
}


def _function(deployment: Deployment, reference: dict[str, Any]) -> Properties:
    """Return the properties of the function that a reference names, by `Ref` or `Fn::GetAtt`."""
    name = reference["Ref"] if "Ref" in reference else reference["Fn::GetAtt"][0]
    for key, resource in deployment.resources.items():
        if key.split("/")[1] == name:
            properties: Properties = resource["Properties"]
            if resource["Type"] == "AWS::Lambda::Alias":
                return _function(deployment, properties["FunctionName"])
            return properties
    raise UnknownResource(f"{reference}: no such function")


def _interval_minutes(expression: str) -> int:
    match = re.fullmatch(r"rate\((\d+) minutes?\)", expression)
    if not match:
        raise UnknownResource(f"say in tools/cost/at_rest.py how often {expression} runs")
    return int(match[1])
