"""Alarms that need metric math; they are deployed with the workers."""

from math import ceil
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from domain import metrics as m
from infra.monitoring.alarm import add_alarm
from infra.monitoring.metrics import PERIOD_SECONDS, own_metric
from infra.settings.deployment import Alarms

ENOUGH_TASKS: Final = 5
"""Tasks that must have ended in a period for a meaningful share: one failure of two tasks is none."""


class WorkerAlarms(Construct):
    """Alarms if tasks of one runtime fail, or if no consumer is there to run them."""

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
                f"IF(ended >= {ENOUGH_TASKS}, 100 * share, 0)",
                "failed, percent",
                # 1 for a failed task, 0 for any other.
                share=own_metric(stack_name, m.FAILED, "Average", runtime=runtime),
                ended=own_metric(stack_name, m.FAILED, "SampleCount", runtime=runtime),
            ),
            threshold=settings.failure_percent,
            periods=2,
            about="Too many of the tasks that ended have failed.",
        )
        add_alarm(
            self,
            "NoConsumer",
            stack_name=stack_name,
            topic=topic,
            runtime=runtime,
            metric=_math(
                "IF(visible > 0, IF(FILL(consumers, 0) > 0, 0, 1), 0)",
                "tasks wait and no consumer is there",
                visible=queue.metric_approximate_number_of_messages_visible(
                    statistic="Minimum", period=cdk.Duration.seconds(PERIOD_SECONDS)
                ),
                consumers=own_metric(stack_name, m.CONSUMERS, "Sum", runtime=runtime),
            ),
            periods=ceil(settings.no_consumer_minutes * 60 / PERIOD_SECONDS),
            about="Tasks wait and no consumer has said that it is at work.",
        )


def _math(expression: str, label: str, **metrics: cloudwatch.IMetric) -> cloudwatch.MathExpression:
    return cloudwatch.MathExpression(
        expression=expression,
        using_metrics=metrics,
        label=label,
        period=cdk.Duration.seconds(PERIOD_SECONDS),
    )
