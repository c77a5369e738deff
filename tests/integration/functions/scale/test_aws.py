"""The scaler's calls to ECS, DynamoDB and SQS, on the emulator."""

import secrets

import pytest

from domain.scaling import Surplus
from functions.scale.aws import DelayedChecks, EcsServices, ScalingStateRows
from functions.scale.logic import ScalingState, ServiceState
from local.emulator import Emulator
from tests.support.deployment import DYNAMIC, Deployment

SURPLUS = Surplus(desired=3, checks=((1_000, 3), (1_060, 1)))


def test_each_version_is_stored_once(deployment: Deployment) -> None:
    rows = ScalingStateRows(deployment.dynamodb, deployment.environment.task_table)
    assert rows.read("a") == ScalingState()
    first = ScalingState(surplus=SURPLUS, version=1)
    assert rows.replace("a", first)
    assert not rows.replace("a", ScalingState(version=1)), "another check has stored this version"
    assert rows.read("a") == first
    assert rows.replace("a", ScalingState(version=2))
    assert rows.read("a") == ScalingState(version=2)
    assert rows.read("b") == ScalingState()


def test_the_rows_of_the_scaler_are_no_tasks(deployment: Deployment) -> None:
    ScalingStateRows(deployment.dynamodb, deployment.environment.task_table).replace(
        "a", ScalingState(version=1)
    )
    (item,) = deployment.dynamodb.scan(TableName=deployment.environment.task_table)["Items"]
    assert item["id"]["S"] == "#scaling#a"
    assert "runtime_status" not in item, "the lists of tasks do not show it"


def test_a_delayed_check_arrives_without_a_runtime(deployment: Deployment) -> None:
    url = deployment.queue(DYNAMIC)
    DelayedChecks(deployment.sqs, url)(0)
    (message,) = deployment.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert (message["Body"], message.get("MessageAttributes")) == ("check", None)


def test_the_desired_count_of_a_service_is_read_and_set(aws: Emulator) -> None:
    ecs, cluster = aws.client("ecs"), f"cluster-{secrets.token_hex(4)}"
    ecs.create_cluster(clusterName=cluster)
    ecs.register_task_definition(
        family="worker", containerDefinitions=[{"name": "webui", "image": "i", "memory": 64}]
    )
    ecs.create_service(cluster=cluster, serviceName="a", taskDefinition="worker", desiredCount=0)
    services = EcsServices(ecs, cluster=cluster)
    services.set_desired("a", 3)
    assert services.state("a") == ServiceState(desired=3)
    with pytest.raises(LookupError, match="has no service b"):
        services.state("b")
