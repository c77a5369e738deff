"""What images cost, each a task of its own: the GPU, and everything else."""

from collections.abc import Iterable

from domain.metrics import METRICS, RUNTIME, Metric
from tools.cost import assumptions as a
from tools.cost import prices as p
from tools.cost.at_rest import Charge
from tools.cost.rows import write_units
from tools.cost.synthesis import Deployment

MILLION = 1_000_000


def gpu_hours(images: int) -> float:
    """Return the hours that a GPU takes for images, if it is always busy."""
    return images * a.IMAGE_SECONDS / 3600


def gpu_dollars(images: int, instance_type: str, purchase: p.Purchase) -> float:
    """Return what the GPU costs for images, if it is always busy."""
    return gpu_hours(images) * p.gpu_hour(instance_type, purchase)


def own_metrics(metrics: Iterable[Metric] = METRICS) -> int:
    """Return how many metrics a runtime with tasks sends: CloudWatch bills each set of dimensions."""
    return sum(set(dimensions) == {RUNTIME} for metric in metrics for dimensions in metric.dimension_sets)


def everything_else(images: int, deployment: Deployment, *, gpus: int) -> list[Charge]:
    """Return what images cost besides the GPU, if `gpus` work at the same time.

    Metrics are paid for each hour in which there are tasks.
    """
    (table,) = deployment.properties("AWS::DynamoDB::Table")
    writes = write_units(table["GlobalSecondaryIndexes"], content_bytes=a.CONTENT_BYTES)
    months = gpu_hours(images) / gpus / p.HOURS_A_MONTH
    metrics = own_metrics()
    charges = [
        Charge("DynamoDB: units written", writes, "each", writes * p.DYNAMODB_WRITE),
        Charge("DynamoDB: units read", a.ROW_READS, "each", a.ROW_READS * p.DYNAMODB_READ),
        Charge("S3: objects written", a.OBJECTS, "each", a.OBJECTS * p.S3_PUT),
        Charge("S3: kept for a month", a.OBJECT_KB, "KB each", a.OBJECT_KB / 1e6 * p.S3_GB_MONTH),
        Charge("API Gateway: requests", a.API_REQUESTS, "each", a.API_REQUESTS * p.API_REQUEST),
        Charge(
            "Lambda: the API",
            a.API_GB_SECONDS,
            "GB-s each",
            a.API_GB_SECONDS * p.LAMBDA_GB_SECOND + p.LAMBDA_REQUEST,
        ),
        Charge(
            "Lambda: the scaler",
            a.SCALER_GB_SECONDS,
            "GB-s each",
            a.SCALER_GB_SECONDS * p.LAMBDA_GB_SECOND + p.LAMBDA_REQUEST,
        ),
        Charge("SQS: requests", a.SQS_REQUESTS, "each", a.SQS_REQUESTS * p.SQS_REQUEST),
        Charge("SNS: messages", a.SNS_PUBLISHES, "each", a.SNS_PUBLISHES * p.SNS_PUBLISH),
        Charge("CloudWatch Logs", a.LOG_KB, "KB each", a.LOG_KB / 1e6 * p.LOG_GB),
        Charge("through the NAT", a.NAT_KB, "KB each", a.NAT_KB / 1e6 * p.NAT_GATEWAY_GB),
        Charge("X-Ray: traces", a.TRACES, "each", a.TRACES * p.TRACE),
    ]
    by_task = [Charge(each.item, each.count, each.unit, each.dollars * images) for each in charges]
    paid = [
        Charge(
            "metrics of a runtime", metrics, f"in hours with tasks of {gpus} GPUs", metrics * p.METRIC_MONTH
        )
    ]
    if any(_detailed(stage) for stage in deployment.properties("AWS::ApiGateway::Stage")):
        count = a.METRICS_OF_A_METHOD
        paid.append(Charge("API Gateway's detailed metrics", count, "a method", count * p.METRIC_MONTH))
    by_hour = [Charge(each.item, each.count, each.unit, each.dollars * months) for each in paid]
    return sorted(by_task + by_hour, key=lambda each: -each.dollars)


def _detailed(stage: dict[str, object]) -> bool:
    settings = stage.get("MethodSettings")
    return isinstance(settings, list) and any(each.get("MetricsEnabled") for each in settings)
