"""What a month costs in which nothing happens, counted in the templates."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tools.cost import assumptions as a
from tools.cost import prices as p
from tools.cost.synthesis import Deployment

Properties = dict[str, Any]


class UnknownResource(Exception):
    """A template has a resource of which nobody has said what it costs."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A line of the page: so many of something, together so many dollars a month."""

    item: str
    count: float
    unit: str
    dollars: float


FREE: Final = re.compile(
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
"""Types that cost nothing while nothing happens."""


def at_rest(deployment: Deployment) -> list[Charge]:
    """Return the charges of a month at rest, one for each item; raise UnknownResource."""
    models = Charge("models in S3", a.MODEL_GB, "GB", a.MODEL_GB * p.S3_GB_MONTH)
    sums: dict[tuple[str, str], tuple[float, float]] = {}
    for name, resource in deployment.resources.items():
        for charge in _charges(deployment, name, resource):
            count, dollars = sums.get((charge.item, charge.unit), (0.0, 0.0))
            sums[charge.item, charge.unit] = (count + charge.count, dollars + charge.dollars)
    charges = [Charge(item, count, unit, dollars) for (item, unit), (count, dollars) in sums.items()]
    return sorted([*charges, models], key=lambda each: -each.dollars)


def total(charges: list[Charge]) -> float:
    """Return the sum of charges."""
    return sum(charge.dollars for charge in charges)


def _charges(deployment: Deployment, name: str, resource: dict[str, Any]) -> Iterator[Charge]:
    type_ = resource["Type"]
    if type_ in _PRICED:
        yield from _PRICED[type_](deployment, resource.get("Properties", {}))
    elif not FREE.fullmatch(type_):
        raise UnknownResource(f"{name}: say in tools/cost/at_rest.py what {type_} costs")


def _nat_gateway(_: Deployment, __: Properties) -> Iterator[Charge]:
    yield Charge("NAT gateway", 1, "", p.NAT_GATEWAY_HOUR * p.HOURS_A_MONTH)


def _address(*_: Any) -> Iterator[Charge]:
    yield Charge("public IPv4 address", 1, "", p.PUBLIC_ADDRESS_HOUR * p.HOURS_A_MONTH)


def _instance(_: Deployment, properties: Properties) -> Iterator[Charge]:
    kind = properties["InstanceType"]
    yield Charge(f"NAT instance ({kind})", 1, "", p.OTHER_INSTANCES[kind] * p.HOURS_A_MONTH)
    yield Charge("its disk", a.NAT_DISK_GB, "GB", a.NAT_DISK_GB * p.EBS_GB_MONTH)
    if any(each.get("AssociatePublicIpAddress") for each in properties.get("NetworkInterfaces", [])):
        yield from _address()


def _endpoint(_: Deployment, properties: Properties) -> Iterator[Charge]:
    if properties.get("VpcEndpointType", "Gateway") != "Gateway":
        count = len(properties["SubnetIds"])
        dollars = count * p.INTERFACE_ENDPOINT_HOUR * p.HOURS_A_MONTH
        yield Charge("interface endpoints, in each zone", count, "", dollars)


def _alarm(_: Deployment, properties: Properties) -> Iterator[Charge]:
    metrics = properties.get("Metrics")
    count = sum("MetricStat" in each for each in metrics) if metrics else 1
    yield Charge("alarms", count, "metrics", count * p.ALARM_METRIC_MONTH)


def _dashboard(_: Deployment, __: Properties) -> Iterator[Charge]:
    yield Charge("dashboard (the first three in an account are free)", 1, "", p.DASHBOARD_MONTH)


def _version(deployment: Deployment, properties: Properties) -> Iterator[Charge]:
    function = _function(deployment, properties["FunctionName"])
    if "SnapStart" in function:
        gb = function["MemorySize"] / p.MIB_PER_GIB
        dollars = gb * p.SNAP_START_CACHE_GB_SECOND * p.HOURS_A_MONTH * 3600
        yield Charge("SnapStart: the cached snapshot of the API", function["MemorySize"], "MB", dollars)


def _schedule(deployment: Deployment, properties: Properties) -> Iterator[Charge]:
    minutes = _minutes(properties["ScheduleExpression"])
    for target in properties["Targets"]:
        gb = _function(deployment, target["Arn"])["MemorySize"] / p.MIB_PER_GIB
        count = p.HOURS_A_MONTH * 60 / minutes
        each = a.FUNCTION_SECONDS * gb * p.LAMBDA_GB_SECOND + p.LAMBDA_REQUEST
        each += a.INVOCATION_LOG_KB / 1e6 * p.LOG_GB
        yield Charge("scheduled invocations", count, "a month", count * each)


def _mapping(_: Deployment, __: Properties) -> Iterator[Charge]:
    count = a.POLLS_A_MINUTE * 60 * p.HOURS_A_MONTH
    yield Charge("Lambda's polls of empty queues", count, "a month", count * p.SQS_REQUEST)


def _cluster(_: Deployment, properties: Properties) -> Iterator[Charge]:
    settings = properties.get("ClusterSettings", [])
    if any(each["Name"] == "containerInsights" and each["Value"] != "disabled" for each in settings):
        count = a.CONTAINER_INSIGHTS_METRICS
        yield Charge("Container Insights", count, "metrics", count * p.METRIC_MONTH)


def _repository(_: Deployment, __: Properties) -> Iterator[Charge]:
    dollars = a.ENGINE_IMAGE_GB * p.ECR_GB_MONTH
    yield Charge("image of the inference server in ECR", a.ENGINE_IMAGE_GB, "GB", dollars)


def _table(_: Deployment, properties: Properties) -> Iterator[Charge]:
    backup = properties.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled")
    dollars = a.TABLE_GB * (p.TABLE_GB_MONTH + (p.BACKUP_GB_MONTH if backup else 0))
    yield Charge("table of tasks and its backup", a.TABLE_GB, "GB", dollars)


def _key(_: Deployment, __: Properties) -> Iterator[Charge]:
    yield Charge("keys in KMS", 1, "", p.KEY_MONTH)


def _secret(_: Deployment, __: Properties) -> Iterator[Charge]:
    yield Charge("secrets", 1, "", p.SECRET_MONTH)


def _nothing(_: Deployment, __: Properties) -> Iterator[Charge]:
    yield from ()


_PRICED: Final[dict[str, Callable[[Deployment, Properties], Iterator[Charge]]]] = {
    "AWS::ApiGateway::Stage": _nothing,  # its metrics are sent with requests only: `images.py`
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
    "AWS::Lambda::EventSourceMapping": _mapping,
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


def _minutes(expression: str) -> int:
    """Return the interval of a schedule."""
    found = re.fullmatch(r"rate\((\d+) minutes?\)", expression)
    if not found:
        raise UnknownResource(f"say in tools/cost/at_rest.py how often {expression} runs")
    return int(found[1])
