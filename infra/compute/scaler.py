"""The Lambda that sets the desired counts of the ECS services, and the queue of events that invokes it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain import scaling
from infra.assets import function_code
from infra.function import Function
from infra.runtime_types.base import Scaling

SCALER_TIMEOUT_SECONDS: Final = 30
# A batch of events causes one check, however many there are, so it is as large as Lambda allows.
_BATCH_SIZE: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class ScaledService:
    """A service, its queue, and the settings that it scales by."""

    service: ecs.FargateService
    queue: sqs.IQueue
    settings: Scaling


class Scaler(Construct):
    """A Lambda that applies `domain.scaling` soon after tasks are submitted, and every minute."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        topic: sns.ITopic,
        table: dynamodb.ITable,
        cluster: ecs.ICluster,
        runtimes: Mapping[str, ScaledService],
        log_level: str,
        log_retention: logs.RetentionDays,
        tracing: bool,
    ) -> None:
        super().__init__(scope, id_)
        self._events = self._create_events_queue(topic)
        services = {
            runtime: {
                "service": scaled.service.service_name,
                "queueUrl": scaled.queue.queue_url,
                "policy": asdict(scaled.settings.as_policy()),
            }
            for runtime, scaled in runtimes.items()
        }
        self.function = Function(
            self,
            "Function",
            code=function_code(),
            handler="functions.scale.handler.handler",
            environment={
                "CLUSTER": cluster.cluster_name,
                "SERVICES": cdk.Stack.of(self).to_json_string(services),
                "TASK_TABLE": table.table_name,
                "EVENTS_QUEUE_URL": self._events.queue_url,
            },
            timeout_seconds=SCALER_TIMEOUT_SECONDS,
            log_level=log_level,
            log_retention=log_retention,
            tracing=tracing,
            memory_mib=256,
        )
        self.function.allow(
            "ecs:DescribeServices",
            "ecs:UpdateService",
            on=[scaled.service.service_arn for scaled in runtimes.values()],
        )
        queue_arns = [scaled.queue.queue_arn for scaled in runtimes.values()]
        self.function.allow("sqs:GetQueueAttributes", on=queue_arns)
        self.function.allow("sqs:SendMessage", on=self._events.queue_arn)
        self._allow_own_rows(table)
        self.function.function.add_event_source(
            sources.SqsEventSource(
                self._events,
                batch_size=_BATCH_SIZE,
                max_batching_window=cdk.Duration.seconds(scaling.EVENT_WINDOW_SECONDS),
                max_concurrency=scaling.EVENT_CONCURRENCY,
            )
        )
        target = targets.LambdaFunction(self.function.function, retry_attempts=0)
        schedule = events.Schedule.rate(cdk.Duration.minutes(scaling.CHECK_EVERY_MINUTES))
        events.Rule(self, "Schedule", schedule=schedule, targets=[target])

    def _create_events_queue(self, topic: sns.ITopic) -> sqs.Queue:
        """Create the queue that collects submitted tasks, so that many of them cause one check."""
        # It needs no dead-letter queue, because the scheduled check counts the same messages.
        queue = sqs.Queue(
            self,
            "Events",
            # AWS recommends six times the function's timeout.
            visibility_timeout=cdk.Duration.seconds(6 * SCALER_TIMEOUT_SECONDS),
            retention_period=cdk.Duration.seconds(scaling.EVENT_RETENTION_SECONDS),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        topic.add_subscription(subscriptions.SqsSubscription(queue, raw_message_delivery=True))
        return queue

    def _allow_own_rows(self, table: dynamodb.ITable) -> None:
        self.function.function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["dynamodb:GetItem", "dynamodb:PutItem"],
                resources=[table.table_arn],
                conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{scaling.ROW_PREFIX}*"]}},
            )
        )
