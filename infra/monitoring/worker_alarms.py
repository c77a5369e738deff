"""Alarms that are deployed with the workers, most of which need metric math."""

from math import ceil
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain import metrics as m
from infra.function import Function
from infra.monitoring.alarm import add_alarm
from infra.monitoring.metrics import PERIOD_SECONDS, own_metric
from infra.settings.deployment import Alarms

MIN_TASKS: Final = 5
"""With fewer finished tasks in a period, a share of failures says too little to raise an alarm."""


class ScalerAlarm(Construct):
    """An alarm for a scaler that fails: then GPUs are neither started nor stopped."""

    def __init__(
        self, scope: Construct, id_: str, *, stack_name: str, function: Function, topic: sns.ITopic
    ) -> None:
        super().__init__(scope, id_)
        add_alarm(
            self,
            "ScalerErrors",
            stack_name=stack_name,
            topic=topic,
            metric=function.function.metric_errors(
                statistic="Sum", period=cdk.Duration.seconds(PERIOD_SECONDS)
            ),
            # Each check is repeated a minute later, so a single error has no effect.
            periods=3,
            description="The function that sets the number of GPUs failed.",
        )


class WorkerAlarms(Construct):
    """Alarms for a runtime whose tasks fail, or whose tasks wait while no consumer runs."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stack_name: str,
        runtime: str,
        queue: sqs.IQueue,
        topic: sns.ITopic,
        settings: Alarms,
    ) -> None:
        super().__init__(scope, id_)
        add_alarm(
            self,
            "FailureShare",
            stack_name=stack_name,
            topic=topic,
            runtime=runtime,
            metric=_math(
                f"IF(ended >= {MIN_TASKS}, 100 * share, 0)",
                "failed, percent",
                # 1 for a failed task, 0 for any other.
                share=own_metric(stack_name, m.FAILED, "Average", runtime=runtime),
                ended=own_metric(stack_name, m.FAILED, "SampleCount", runtime=runtime),
            ),
            threshold=settings.failure_percent,
            periods=2,
            description="Too many of the finished tasks failed.",
        )
        add_alarm(
            self,
            "NoConsumer",
            stack_name=stack_name,
            topic=topic,
            runtime=runtime,
            metric=_math(
                "IF(visible > 0, IF(FILL(consumers, 0) > 0, 0, 1), 0)",
                "tasks wait and no consumer runs",
                visible=queue.metric_approximate_number_of_messages_visible(
                    statistic="Minimum", period=cdk.Duration.seconds(PERIOD_SECONDS)
                ),
                consumers=own_metric(stack_name, m.CONSUMERS, "Sum", runtime=runtime),
            ),
            periods=ceil(settings.no_consumer_minutes * 60 / PERIOD_SECONDS),
            description="Tasks wait, and no consumer has reported that it is running.",
        )


def _math(expression: str, label: str, **metrics: cloudwatch.IMetric) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        expression=expression,
        using_metrics=metrics,
        label=label,
        period=cdk.Duration.seconds(PERIOD_SECONDS),
    )
