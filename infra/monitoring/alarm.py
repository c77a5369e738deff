"""Common configuration of all alarms; docs/operations.md explains each by its name."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.monitoring.names import alarm_name


def alarm_topic(scope: Construct, id_: str, *, email: str | None) -> sns.Topic:
    """Create the topic that alarms are sent to."""
    topic = sns.Topic(scope, id_, enforce_ssl=True)
    # `enforce_ssl` replaces the topic's default policy, which would have allowed CloudWatch to publish.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}},
        )
    )
    if email:
        topic.add_subscription(subscriptions.EmailSubscription(email))
    return topic


def add_alarm(
    scope: Construct,
    kind: str,
    *,
    stack_name: str,
    topic: sns.ITopic,
    metric: cloudwatch.IMetric,
    description: str,
    threshold: float = 1,
    periods: int = 1,
    runtime: str | None = None,
) -> cloudwatch.Alarm:
    """Add an alarm for a metric of at least `threshold` in each of `periods`; missing data raises none."""
    alarm = cloudwatch.Alarm(
        scope,
        "-".join(filter(None, (kind, runtime))),
        alarm_name=alarm_name(stack_name, kind, runtime),
        alarm_description=f"{description} See {kind} in docs/operations.md.",
        metric=metric,
        threshold=threshold,
        evaluation_periods=periods,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    alarm.add_alarm_action(actions.SnsAction(topic))
    return alarm
