"""The calls to ECS, DynamoDB and SQS that the scaler makes."""

import json
from typing import TYPE_CHECKING, Any

from domain.scaling import ROW_PREFIX, Surplus
from functions.scale.logic import ScalingState, ServiceState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_sqs import SQSClient


class EcsServices:
    """The ECS services of one cluster."""

    def __init__(self, ecs: "ECSClient", *, cluster: str) -> None:
        self._ecs = ecs
        self._cluster = cluster

    def state(self, service: str) -> ServiceState:
        """Return the state of a service; raise LookupError if there is no such service."""
        services = self._ecs.describe_services(cluster=self._cluster, services=[service])["services"]
        if not services or services[0]["status"] != "ACTIVE":
            raise LookupError(f"the cluster {self._cluster} has no service {service}")
        deployments = services[0].get("deployments", [])
        return ServiceState(
            desired=services[0]["desiredCount"],
            # A second deployment is one whose workers are being replaced. The only one of a new service is in
            # progress too, but replaces nothing.
            updating=len(deployments) > 1,
        )

    def set_desired(self, service: str, count: int) -> None:
        """Set the desired count of a service."""
        self._ecs.update_service(cluster=self._cluster, service=service, desiredCount=count)


class ScalingStateRows:
    """Keeps the scaling state of each runtime in a row of the tasks' table."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def read(self, runtime: str) -> ScalingState:
        """Return the stored state, an empty one before the first check."""
        item = self._dynamodb.get_item(TableName=self._table, Key=_key(runtime), ConsistentRead=True).get(
            "Item", {}
        )
        surplus = _parse_surplus(item["surplus"]["S"]) if "surplus" in item else None
        return ScalingState(surplus=surplus, version=int(item["version"]["N"]) if item else 0)

    def replace(self, runtime: str, state: ScalingState) -> bool:
        """Store the next version; return False if another check has stored that version already."""
        item: dict[str, Any] = {**_key(runtime), "version": {"N": str(state.version)}}
        if state.surplus is not None:
            item["surplus"] = {"S": json.dumps([state.surplus.desired, state.surplus.checks])}
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(version) OR version = :last",
                ExpressionAttributeValues={":last": {"N": str(state.version - 1)}},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True


class DelayedChecks:
    """Schedules checks of all runtimes by delayed messages."""

    def __init__(self, sqs: "SQSClient", queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url

    def __call__(self, seconds: int) -> None:
        """Schedule a check of all runtimes after some seconds."""
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody="check", DelaySeconds=seconds)


def _key(runtime: str) -> dict[str, Any]:
    return {"id": {"S": f"{ROW_PREFIX}{runtime}"}}


def _parse_surplus(text: str) -> Surplus:
    desired, checks = json.loads(text)
    return Surplus(desired=desired, checks=tuple((at, needed) for at, needed in checks))
