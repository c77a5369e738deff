"""The calls to ECS and SQS that the waker makes."""

from typing import TYPE_CHECKING

from adapters.queues import depth

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_sqs import SQSClient


class EcsServices:
    """The ECS services of one cluster."""

    def __init__(self, ecs: "ECSClient", *, cluster: str) -> None:
        self._ecs = ecs
        self._cluster = cluster

    def desired(self, service: str) -> int:
        """Return the desired count of a service; raise LookupError if there is no such service."""
        found = self._ecs.describe_services(cluster=self._cluster, services=[service])["services"]
        if not found:
            raise LookupError(f"the cluster {self._cluster} has no service {service}")
        return found[0]["desiredCount"]

    def start_one(self, service: str) -> None:
        """Set the desired count to one; Application Auto Scaling takes over from there."""
        self._ecs.update_service(cluster=self._cluster, service=service, desiredCount=1)


class SqsQueues:
    """The queues of the runtimes."""

    def __init__(self, sqs: "SQSClient") -> None:
        self._sqs = sqs

    def backlog(self, queue_url: str) -> int:
        """Return the approximate number of messages; the call also keeps the queue's metrics active."""
        found = depth(self._sqs, queue_url)
        return found.waiting + found.in_flight
