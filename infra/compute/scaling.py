"""Auto scaling of a runtime's GPU tasks, with the reason for each number."""

from math import ceil
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.runtime_types.base import Scaling

# The metrics of SQS and Container Insights arrive once a minute.
PERIOD_SECONDS: Final = 60

# Application Auto Scaling's limit for a step scaling policy.
MAX_STEPS: Final = 20

# Between two actions of the same policy; the cooldown in the settings is part of the alarms.
POLICY_COOLDOWN_SECONDS: Final = 60


def capacities(maximum: int) -> list[int]:
    """Return the sizes that a service can grow to: all of them, or 20 evenly spread ones of more."""
    if maximum <= MAX_STEPS:
        return list(range(1, maximum + 1))
    return [1, *(ceil(1 + (maximum - 1) * step / (MAX_STEPS - 1)) for step in range(1, MAX_STEPS))]


class QueueScaling(Construct):
    """Step scaling of one service between its minimum and maximum, based on its queue.

    `wanted` is the backlog (visible and in flight) divided by the backlog that one GPU should carry, rounded
    up. Scaling out happens as soon as more tasks are wanted than run, straight to the wanted number, so that
    instances that are still starting are not ordered twice. Scaling in removes one task at a time while fewer
    are wanted for the whole cooldown, and goes to the minimum when nothing was visible or in flight for the
    whole cooldown. The waker (`infra.compute.waker`) scales from zero to one, because metrics are too slow
    for that. Missing metrics are not replaced by zeros, so they change nothing.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        service: ecs.FargateService,
        queue: sqs.IQueue,
        settings: Scaling,
    ) -> None:
        super().__init__(scope, id_)
        self._metrics = _metrics(service, queue)
        self._settings = settings
        self._target = scaling.ScalableTarget(
            self,
            "Target",
            service_namespace=scaling.ServiceNamespace.ECS,
            resource_id=f"service/{service.cluster.cluster_name}/{service.service_name}",
            scalable_dimension="ecs:service:DesiredCount",
            min_capacity=settings.min_replica_count,
            max_capacity=settings.max_replica_count,
        )
        cooldown_minutes = max(1, ceil(settings.cooldown_period / PERIOD_SECONDS))
        wanted = f"CEIL((visible + inflight) / {settings.queue_length})"
        self._out(f"IF({wanted} > running, {wanted}, 0)")
        self._in(
            "In",
            f"IF(running > {wanted}, 1, 0)",
            scaling.AdjustmentType.CHANGE_IN_CAPACITY,
            -1,
            cooldown_minutes,
        )
        # `running` is part of the expression so that a service at zero is left alone. Otherwise the first
        # task that the waker started would be removed before the queue's metrics show a message.
        self._in(
            "Idle",
            "IF(visible + inflight > 0, 0, running)",
            scaling.AdjustmentType.EXACT_CAPACITY,
            settings.min_replica_count,
            cooldown_minutes,
        )

    def _out(self, expression: str) -> None:
        policy = self._policy(
            "Out", scaling.AdjustmentType.EXACT_CAPACITY, scaling.MetricAggregationType.MAXIMUM
        )
        lower = 0
        steps = capacities(self._settings.max_replica_count)
        for capacity in steps:
            # Bounds are relative to the alarm's threshold of 1; an interval includes its lower bound only.
            policy.add_adjustment(
                adjustment=capacity,
                lower_bound=lower,
                upper_bound=None if capacity == steps[-1] else capacity,
            )
            lower = capacity
        self._alarm("OutAlarm", expression, policy, evaluation_periods=1)

    def _in(
        self, name: str, expression: str, type_: scaling.AdjustmentType, adjustment: int, minutes: int
    ) -> None:
        policy = self._policy(name, type_, scaling.MetricAggregationType.MINIMUM)
        policy.add_adjustment(adjustment=adjustment, lower_bound=0)
        self._alarm(f"{name}Alarm", expression, policy, evaluation_periods=minutes)

    def _policy(
        self,
        name: str,
        type_: scaling.AdjustmentType,
        aggregation: scaling.MetricAggregationType,
    ) -> scaling.StepScalingAction:
        return scaling.StepScalingAction(
            self,
            name,
            scaling_target=self._target,
            adjustment_type=type_,
            cooldown=cdk.Duration.seconds(POLICY_COOLDOWN_SECONDS),
            metric_aggregation_type=aggregation,
        )

    def _alarm(
        self, name: str, expression: str, policy: scaling.StepScalingAction, *, evaluation_periods: int
    ) -> None:
        metric = cloudwatch.MathExpression(
            expression=expression,
            using_metrics=dict(self._metrics),
            period=cdk.Duration.seconds(PERIOD_SECONDS),
            label=name,
        )
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=evaluation_periods,
            datapoints_to_alarm=evaluation_periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"Scales the service ({policy.node.id}); the state ALARM is not an error.",
        )
        alarm.add_alarm_action(actions.ApplicationScalingAction(policy))


def _metrics(service: ecs.FargateService, queue: sqs.IQueue) -> dict[str, cloudwatch.IMetric]:
    period = cdk.Duration.seconds(PERIOD_SECONDS)
    running = cloudwatch.Metric(
        namespace="ECS/ContainerInsights",
        metric_name="RunningTaskCount",
        dimensions_map={"ClusterName": service.cluster.cluster_name, "ServiceName": service.service_name},
        statistic="Average",
        period=period,
    )
    visible = queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=period)
    inflight = queue.metric_approximate_number_of_messages_not_visible(statistic="Maximum", period=period)
    return {"visible": visible, "inflight": inflight, "running": running}
