"""All metrics, and their encoding in CloudWatch's embedded metric format.

The encoder of Powertools gives all metrics of a line the same dimensions, including `service`. The line of a
task has metrics with different dimension sets, and every additional set costs money.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class Unit(StrEnum):
    """The CloudWatch units in use."""

    COUNT = "Count"
    SECONDS = "Seconds"
    MEGABYTES = "Megabytes"


RUNTIME: Final = "runtime"
CODE: Final = "code"
ACTION: Final = "action"

NAMESPACE: Final = "sd-on-ecs"
"""Prefix of a deployment's namespace; the stack's name follows, so that two deployments never mix."""

UNKNOWN: Final = "unknown"
"""Runtime dimension of messages that name no runtime of the deployment, so that a sender cannot create
metrics."""


def namespace_of(stack_name: str) -> str:
    """Return the CloudWatch namespace of a deployment."""
    return f"{NAMESPACE}/{stack_name}"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric; CloudWatch bills each of its dimension sets as a metric of its own."""

    name: str
    unit: Unit
    description: str
    dimension_sets: tuple[tuple[str, ...], ...] = ((RUNTIME,),)


def _count(name: str, description: str, *dimension_sets: tuple[str, ...]) -> Metric:
    return Metric(name, Unit.COUNT, description, dimension_sets or ((RUNTIME,),))


def _seconds(name: str, description: str) -> Metric:
    return Metric(name, Unit.SECONDS, description)


# --- the API, the sweep, the dead-letter Lambda -----------------------------------------------------

ACCEPTED: Final = _count(
    "TasksAccepted", "new tasks and new submissions; a repeated submit is not counted again"
)
REJECTED: Final = _count("TasksRejected", "submits that the API refused, by code", (CODE,))
SWEPT: Final = _count(
    "TasksSwept", "tasks that the sweep republished, expired or notified", (), (RUNTIME, ACTION)
)
DEAD_LETTERED: Final = _count(
    "MessagesDeadLettered", "messages that ended in a dead-letter queue", (), (RUNTIME,)
)

WEBHOOKS_DELIVERED: Final = _count("WebhooksDelivered", "events that a receiver of webhooks accepted")
WEBHOOKS_GIVEN_UP: Final = _count(
    "WebhooksGivenUp",
    "events that a day of attempts could not deliver, or that a receiver refused",
    (),
    (RUNTIME,),
)

# --- the consumer: at the end of each task --------------------------------------------------------

COMPLETED: Final = _count("TasksCompleted", "tasks that completed")
FAILED: Final = _count(
    "TasksFailed", "1 for a task that failed, 0 for any other outcome: the average is the failure rate"
)
FAILURES_BY_CODE: Final = _count("FailuresByCode", "tasks that failed, by error code", (RUNTIME, CODE))
CANCELLED: Final = _count("TasksCancelled", "tasks that a worker stopped because the caller cancelled them")
RETRIED: Final = _count("TasksRetried", "tasks released to their queue after a retryable error")
IMAGES: Final = _count("Images", "stored images, without grids")
QUEUED_SECONDS: Final = _seconds("QueuedSeconds", "from submit to claim")
PREPARE_SECONDS: Final = _seconds("PrepareSeconds", "downloading inputs and models, and checking the content")
MODEL_LOAD_SECONDS: Final = _seconds("ModelLoadSeconds", "loading another checkpoint into the engine")
INFERENCE_SECONDS: Final = _seconds("InferenceSeconds", "running the request in the engine")
STORE_SECONDS: Final = _seconds("StoreSeconds", "writing the images and the output document to S3")
END_TO_END_SECONDS: Final = _seconds("EndToEndSeconds", "from submit to stored outcome")
MODEL_SWITCHES: Final = _count("ModelSwitches", "jobs that needed a different checkpoint than the job before")
WASTED_GPU_SECONDS: Final = _seconds("WastedGpuSeconds", "GPU time that led to no stored image")

# --- the consumer: once a minute ------------------------------------------------------------------

CONSUMERS: Final = _count("Consumers", "running consumers: each counts 1 a minute")
GPU_BUSY_SECONDS: Final = _seconds("GpuBusySeconds", "with a running job or model switch, in the last minute")
GPU_IDLE_SECONDS: Final = _seconds("GpuIdleSeconds", "without a job while tasks waited, in the last minute")
GPU_MEMORY_USED: Final = Metric(
    "GpuMemoryUsed", Unit.MEGABYTES, "memory in use on the GPU, as the engine reports it"
)
GPU_MEMORY_FREE: Final = Metric(
    "GpuMemoryFree", Unit.MEGABYTES, "free memory on the GPU, as the engine reports it"
)

# --- the consumer: when it happens ----------------------------------------------------------------

ENGINE_UNHEALTHY: Final = _count(
    "UnhealthyEngines",
    "engines that stopped working, with the reason; each was replaced or recovered",
)

METRICS: Final = tuple(value for value in tuple(globals().values()) if isinstance(value, Metric))
"""All metrics, in the order above."""


def emf_line(
    namespace: str, values: Mapping[Metric, float], *, at: datetime, properties: Mapping[str, Any]
) -> str:
    """Return one log line in the embedded metric format.

    `properties` are the values of the dimensions and further fields of the log line. Raise ValueError
    if a dimension is missing or empty, a value is not finite, or there are no values.
    """
    if not values:
        raise ValueError("no metric is given")
    metrics_by_sets: dict[tuple[tuple[str, ...], ...], list[Metric]] = {}
    for metric, value in values.items():
        if not math.isfinite(value):
            raise ValueError(f"{metric.name} is {value}")
        dimensions = [name for dimension_set in metric.dimension_sets for name in dimension_set]
        if missing := [name for name in dimensions if not properties.get(name)]:
            raise ValueError(f"{metric.name} needs the dimension {missing[0]}")
        metrics_by_sets.setdefault(metric.dimension_sets, []).append(metric)
    directives = [
        {
            "Namespace": namespace,
            "Dimensions": [list(dimension_set) for dimension_set in dimension_sets],
            "Metrics": [{"Name": metric.name, "Unit": metric.unit.value} for metric in metrics],
        }
        for dimension_sets, metrics in metrics_by_sets.items()
    ]
    rounded_values = {metric.name: round(value, 6) for metric, value in values.items()}
    metadata = {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": directives}
    return json.dumps({"_aws": metadata, **properties, **rounded_values}, separators=(",", ":"))
