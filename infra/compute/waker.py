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

# Safety net for a lost event: the longest time until the first GPU is requested.
NET_MINUTES: Final = 5


@dataclass(frozen=True, kw_only=True)
class RuntimeService:
    """A service that may be at zero, and its queue."""

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
        sleepers: Mapping[str, RuntimeService],
        log_level: str,
        log_retention: logs.RetentionDays,
        tracing: bool,
    ) -> None:
        super().__init__(scope, id_)
        services = {
            runtime: {"service": sleeper.service.service_name, "queueUrl": sleeper.queue.queue_url}
            for runtime, sleeper in sleepers.items()
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
            on=[sleeper.service.service_arn for sleeper in sleepers.values()],
        )
        queues = [sleeper.queue.queue_arn for sleeper in sleepers.values()]
        self.function.allow("sqs:GetQueueAttributes", on=queues)
        # No dead-letter queue is needed: an event is only a hint, and the schedule below makes up for a lost
        # one.
        topic.add_subscription(subscriptions.LambdaSubscription(self.function.function))
        net = targets.LambdaFunction(self.function.function, retry_attempts=0)
        schedule = events.Schedule.rate(cdk.Duration.minutes(NET_MINUTES))
        events.Rule(self, "Net", schedule=schedule, targets=[net])
