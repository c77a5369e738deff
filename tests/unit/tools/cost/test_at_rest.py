"""What resources of a template cost in a month."""

from typing import Any

import pytest

from tools.cost import prices
from tools.cost.at_rest import UnknownResource, charges_at_rest, total
from tools.cost.synthesis import Deployment


def deployment(**resources: tuple[str, dict[str, Any]]) -> Deployment:
    """Return a deployment with resources of the compute stack, by logical id: their type and properties."""
    compute = {
        name: {"Type": f"AWS::{type_}", "Properties": properties}
        for name, (type_, properties) in resources.items()
    }
    return Deployment(({"Resources": {}}, {"Resources": compute}))


def dollars(**resources: tuple[str, dict[str, Any]]) -> float:
    """Return what resources add to a month."""
    return total(charges_at_rest(deployment(**resources))) - total(charges_at_rest(deployment()))


def test_an_alarm_costs_as_many_metrics_as_its_expression_uses() -> None:
    metrics = [{"MetricStat": {}}, {"MetricStat": {}}, {"Expression": "a + b"}]
    sum_of_both = dollars(
        One=("CloudWatch::Alarm", {"MetricName": "a"}), Two=("CloudWatch::Alarm", {"Metrics": metrics})
    )
    assert sum_of_both == pytest.approx(3 * prices.ALARM_METRIC_MONTH)


def test_a_gateway_endpoint_is_free_and_an_interface_endpoint_is_paid_in_each_zone() -> None:
    assert dollars(S3=("EC2::VPCEndpoint", {"VpcEndpointType": "Gateway"})) == 0
    interface = {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b", "c"]}
    assert dollars(Sqs=("EC2::VPCEndpoint", interface)) == pytest.approx(3 * 0.01 * 730)


def test_a_nat_instance_has_a_disk_and_an_address() -> None:
    instance = {"InstanceType": "t4g.nano", "NetworkInterfaces": [{"AssociatePublicIpAddress": True}]}
    items = {row.item for row in charges_at_rest(deployment(Nat=("EC2::Instance", instance)))}
    assert {"NAT instance (t4g.nano)", "its disk", "public IPv4 address"} <= items


@pytest.mark.parametrize("value", ["enabled", "enhanced"])
def test_container_insights_is_paid_unless_it_is_disabled(value: str) -> None:
    def cluster(insights: str) -> dict[str, Any]:
        return {"ClusterSettings": [{"Name": "containerInsights", "Value": insights}]}

    assert dollars(Cluster=("ECS::Cluster", cluster(value))) > 0
    assert dollars(Cluster=("ECS::Cluster", cluster("disabled"))) == 0


def test_snap_start_is_paid_for_the_memory_of_the_function_whose_version_is_published() -> None:
    def version(**properties: Any) -> float:
        function = ("Lambda::Function", {"MemorySize": 1024, **properties})
        return dollars(Function=function, Version=("Lambda::Version", {"FunctionName": {"Ref": "Function"}}))

    assert version(SnapStart={"ApplyOn": "PublishedVersions"}) == pytest.approx(0.0000015046 * 730 * 3600)
    assert version() == 0


def test_a_schedule_twice_as_often_costs_twice_as_much() -> None:
    def schedule(rate: str) -> float:
        rule = {"ScheduleExpression": rate, "Targets": [{"Arn": {"Fn::GetAtt": ["Function", "Arn"]}}]}
        return dollars(Function=("Lambda::Function", {"MemorySize": 256}), Rule=("Events::Rule", rule))

    assert schedule("rate(1 minute)") == pytest.approx(2 * schedule("rate(2 minutes)"))
    with pytest.raises(UnknownResource, match=r"how often cron"):
        schedule("cron(0 8 * * ? *)")


def test_a_type_without_a_price_is_refused_with_its_name() -> None:
    with pytest.raises(
        UnknownResource, match=r"Compute/Cache: say in .* what AWS::ElastiCache::CacheCluster costs"
    ):
        charges_at_rest(deployment(Cache=("ElastiCache::CacheCluster", {})))
