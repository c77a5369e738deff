"""The Lambda that scales a service from zero to one, for which metrics would be too slow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.assets import function_code
from infra.function import Function

# For an event that was lost: the longest time until the first GPU is requested.
SCHEDULE_MINUTES: Final = 5


@dataclass(frozen=True, kw_only=True)
class RuntimeService:
    """A service that the waker can start, and its queue."""

    service: ecs.FargateService
    queue: sqs.IQueue


class Waker(Construct):
    """A Lambda that starts services from zero, invoked for every task and every few minutes."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        topic: sns.ITopic,
        cluster: ecs.ICluster,
        runtimes: Mapping[str, RuntimeService],
        log_level: str,
        log_retention: logs.RetentionDays,
        tracing: bool,
    ) -> None:
        super().__init__(scope, id_)
        services = {
            runtime: {"service": each.service.service_name, "queueUrl": each.queue.queue_url}
            for runtime, each in runtimes.items()
        }
        self.function = Function(
            self,
            "Function",
            code=function_code(),
            handler="functions.wake.handler.handler",
            environment={
                "CLUSTER": cluster.cluster_name,
                "SERVICES": cdk.Stack.of(self).to_json_string(services),
            },
            timeout_seconds=30,
            log_level=log_level,
            log_retention=log_retention,
            tracing=tracing,
            memory_mib=256,
        )
        self.function.allow(
            "ecs:DescribeServices",
            "ecs:UpdateService",
            on=[each.service.service_arn for each in runtimes.values()],
        )
        queues = [each.queue.queue_arn for each in runtimes.values()]
        self.function.allow("sqs:GetQueueAttributes", on=queues)
        # No dead-letter queue is needed, because the schedule below makes up for an event that was lost.
        topic.add_subscription(subscriptions.LambdaSubscription(self.function.function))
        target = targets.LambdaFunction(self.function.function, retry_attempts=0)
        schedule = events.Schedule.rate(cdk.Duration.minutes(SCHEDULE_MINUTES))
        events.Rule(self, "Schedule", schedule=schedule, targets=[target])
