"""The metrics of `domain.metrics` for use in alarms and widgets."""

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from domain.metrics import Metric, namespace_of

PERIOD_SECONDS: Final = 300
"""Period of alarms and widgets. It is several times the minute at which consumers report, so that one late
report does not matter."""


def own_metric(
    stack_name: str,
    definition: Metric,
    statistic: str,
    *,
    label: str | None = None,
    period_seconds: int = PERIOD_SECONDS,
    **dimensions: str,
) -> cloudwatch.Metric:
    """Return a metric of `domain.metrics`; raise ValueError for dimensions that it is not emitted with."""
    if sorted(dimensions) not in [sorted(names) for names in definition.dimension_sets]:
        raise ValueError(f"{definition.name} is not emitted with the dimensions {sorted(dimensions)}")
    return cloudwatch.Metric(
        namespace=namespace_of(stack_name),
        metric_name=definition.name,
        dimensions_map=dimensions or None,
        statistic=statistic,
        period=cdk.Duration.seconds(period_seconds),
        label=label,
    )
