"""Compute what images cost, each a task of its own: the GPU, and everything else."""

from collections.abc import Iterable

from domain.metrics import METRICS, RUNTIME, Metric
from tools.cost import assumptions, prices
from tools.cost.at_rest import Charge
from tools.cost.rows import write_units
from tools.cost.synthesis import Deployment

MILLION = 1_000_000


def gpu_hours(images: int) -> float:
    """Return the hours that a GPU takes for a number of images, if it is always busy."""
    return images * assumptions.IMAGE_SECONDS / 3600


def gpu_dollars(images: int, instance_type: str, purchase: prices.Purchase) -> float:
    """Return what the GPU costs for a number of images, if it is always busy."""
    return gpu_hours(images) * prices.gpu_dollars_per_hour(instance_type, purchase)


def count_runtime_metrics(metrics: Iterable[Metric] = METRICS) -> int:
    """Return how many metrics a runtime with tasks is billed for: one for each set of dimensions."""
    return sum(set(dimensions) == {RUNTIME} for metric in metrics for dimensions in metric.dimension_sets)


def charges_without_gpu(images: int, deployment: Deployment, *, gpus: int) -> list[Charge]:
    """Return what a number of images costs besides the GPU, if `gpus` work at the same time.

    Metrics are paid for each hour in which there are tasks.
    """
    (table,) = deployment.properties("AWS::DynamoDB::Table")
    writes = write_units(table["GlobalSecondaryIndexes"], content_bytes=assumptions.CONTENT_BYTES)
    months = gpu_hours(images) / gpus / prices.HOURS_PER_MONTH
    metric_count = count_runtime_metrics()
    charges = [
        Charge("DynamoDB: units written", writes, "each", writes * prices.DYNAMODB_WRITE),
        Charge(
            "DynamoDB: units read",
            assumptions.ROW_READS,
            "each",
            assumptions.ROW_READS * prices.DYNAMODB_READ,
        ),
        Charge("S3: objects written", assumptions.OBJECTS, "each", assumptions.OBJECTS * prices.S3_PUT),
        Charge(
            "S3: kept for a month",
            assumptions.OBJECT_KB,
            "KB each",
            assumptions.OBJECT_KB / 1e6 * prices.S3_GB_MONTH,
        ),
        Charge(
            "API Gateway: requests",
            assumptions.API_REQUESTS,
            "each",
            assumptions.API_REQUESTS * prices.API_REQUEST,
        ),
        Charge(
            "Lambda: the API",
            assumptions.API_GB_SECONDS,
            "GB-s each",
            assumptions.API_GB_SECONDS * prices.LAMBDA_GB_SECOND + prices.LAMBDA_REQUEST,
        ),
        Charge(
            "Lambda: the scaler",
            assumptions.SCALER_GB_SECONDS,
            "GB-s each",
            assumptions.SCALER_GB_SECONDS * prices.LAMBDA_GB_SECOND + prices.LAMBDA_REQUEST,
        ),
        Charge(
            "SQS: requests", assumptions.SQS_REQUESTS, "each", assumptions.SQS_REQUESTS * prices.SQS_REQUEST
        ),
        Charge(
            "SQS: fair queues",
            assumptions.SQS_FAIR_REQUESTS,
            "each",
            assumptions.SQS_FAIR_REQUESTS * prices.SQS_FAIR_REQUEST,
        ),
        Charge(
            "SNS: messages", assumptions.SNS_PUBLISHES, "each", assumptions.SNS_PUBLISHES * prices.SNS_PUBLISH
        ),
        Charge("CloudWatch Logs", assumptions.LOG_KB, "KB each", assumptions.LOG_KB / 1e6 * prices.LOG_GB),
        Charge(
            "through the NAT", assumptions.NAT_KB, "KB each", assumptions.NAT_KB / 1e6 * prices.NAT_GATEWAY_GB
        ),
        Charge("X-Ray: traces", assumptions.TRACES, "each", assumptions.TRACES * prices.TRACE),
    ]
    per_image = [
        Charge(charge.item, charge.count, charge.unit, charge.dollars * images) for charge in charges
    ]
    monthly = [
        Charge(
            "metrics of a runtime",
            metric_count,
            f"in hours with tasks of {gpus} GPUs",
            metric_count * prices.METRIC_MONTH,
        )
    ]
    if any(_has_detailed_metrics(stage) for stage in deployment.properties("AWS::ApiGateway::Stage")):
        count = assumptions.METRICS_PER_METHOD
        monthly.append(
            Charge("API Gateway's detailed metrics", count, "a method", count * prices.METRIC_MONTH)
        )
    prorated = [Charge(charge.item, charge.count, charge.unit, charge.dollars * months) for charge in monthly]
    return sorted(per_image + prorated, key=lambda charge: -charge.dollars)


def _has_detailed_metrics(stage: dict[str, object]) -> bool:
    settings = stage.get("MethodSettings")
    return isinstance(settings, list) and any(setting.get("MetricsEnabled") for setting in settings)
