"""Every metric of the pipeline, and the embedded metric format that carries them to CloudWatch.

Powertools' own encoder gives every metric of a line the same dimensions, `service` among them; a task's line
has metrics of several dimension sets here, and each further set is paid for.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class Unit(StrEnum):
    """Name CloudWatch's units, as far as they are needed."""

    COUNT = "Count"
    SECONDS = "Seconds"
    MEGABYTES = "Megabytes"


RUNTIME: Final = "runtime"
CODE: Final = "code"
ACTION: Final = "action"

NAMESPACE: Final = "sd-on-ecs"
"""What a deployment's namespace begins with; the stack's name follows, so that two never mix."""

UNKNOWN: Final = "unknown"
"""The runtime of a message that names none of the deployment's: a dimension must not be a stranger's."""


def namespace_of(stack_name: str) -> str:
    """Return the namespace of a deployment's metrics."""
    return f"{NAMESPACE}/{stack_name}"


@dataclass(frozen=True, slots=True)
class Metric:
    """Describe one metric; each of `sets` is a set of dimensions, and is one metric more on the bill."""

    name: str
    unit: Unit
    about: str
    sets: tuple[tuple[str, ...], ...] = ((RUNTIME,),)


def _count(name: str, about: str, *sets: tuple[str, ...]) -> Metric:
    return Metric(name, Unit.COUNT, about, sets or ((RUNTIME,),))


def _seconds(name: str, about: str) -> Metric:
    return Metric(name, Unit.SECONDS, about)


# --- the API, the sweep, the dead letters' Lambda -------------------------------------------------

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

# --- the consumer: at the end of each task --------------------------------------------------------

COMPLETED: Final = _count("TasksCompleted", "tasks that ended with their images")
FAILED: Final = _count(
    "TasksFailed", "1 for a task that ended with an error, 0 for another: averages are shares"
)
FAILURES: Final = _count("FailuresByCode", "tasks that ended with an error, by code", (RUNTIME, CODE))
CANCELLED: Final = _count("TasksCancelled", "tasks that a worker ended because their caller cancelled")
RETRIED: Final = _count("TasksRetried", "tasks given back to their queue after a passing fault")
IMAGES: Final = _count("Images", "images stored, grids not counted")
QUEUED_SECONDS: Final = _seconds("QueuedSeconds", "from the submit to the claim")
PREPARE_SECONDS: Final = _seconds("PrepareSeconds", "links and models fetched, content checked")
MODEL_LOAD_SECONDS: Final = _seconds("ModelLoadSeconds", "SD Web UI loading another checkpoint")
INFERENCE_SECONDS: Final = _seconds("InferenceSeconds", "SD Web UI working on the request")
STORE_SECONDS: Final = _seconds("StoreSeconds", "images and .out written to S3")
END_TO_END_SECONDS: Final = _seconds("EndToEndSeconds", "from the submit to the stored outcome")
MODEL_SWITCHES: Final = _count("ModelSwitches", "jobs that needed another checkpoint than the one before")
WASTED_GPU_SECONDS: Final = _seconds("WastedGpuSeconds", "GPU time that brought no stored image")

# --- the consumer: once a minute ------------------------------------------------------------------

CONSUMERS: Final = _count("Consumers", "consumers at work: each counts 1 a minute")
GPU_BUSY_SECONDS: Final = _seconds("GpuBusySeconds", "of the last minute, with a job or a model switch")
GPU_IDLE_SECONDS: Final = _seconds("GpuIdleSeconds", "of the last minute, idle while tasks waited")
GPU_MEMORY_USED: Final = Metric("GpuMemoryUsed", Unit.MEGABYTES, "of the card, as SD Web UI reports it")
GPU_MEMORY_FREE: Final = Metric("GpuMemoryFree", Unit.MEGABYTES, "of the card, as SD Web UI reports it")

# --- the consumer: when it happens ----------------------------------------------------------------

POISONED: Final = _count("PoisonedWorkers", "workers that ended because their SD Web UI had to be replaced")

METRICS: Final = tuple(value for value in tuple(globals().values()) if isinstance(value, Metric))
"""All of them, in the order above."""


def document(
    namespace: str, values: Mapping[Metric, float], *, at: datetime, facts: Mapping[str, Any]
) -> str:
    """Return one line of the embedded metric format.

    `facts` are the dimensions' values and whatever else helps who reads the line; ValueError for a dimension
    that is missing or empty, a value that is no finite number, or nothing to say.
    """
    if not values:
        raise ValueError("a document without a metric")
    by_sets: dict[tuple[tuple[str, ...], ...], list[Metric]] = {}
    for metric, value in values.items():
        if not math.isfinite(value):
            raise ValueError(f"{metric.name} is {value}")
        if missing := [name for one in metric.sets for name in one if not facts.get(name)]:
            raise ValueError(f"{metric.name} needs the dimension {missing[0]}")
        by_sets.setdefault(metric.sets, []).append(metric)
    directives = [
        {
            "Namespace": namespace,
            "Dimensions": [list(one) for one in sets],
            "Metrics": [{"Name": metric.name, "Unit": metric.unit.value} for metric in metrics],
        }
        for sets, metrics in by_sets.items()
    ]
    numbers = {metric.name: round(value, 6) for metric, value in values.items()}
    about = {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": directives}
    return json.dumps({"_aws": about, **facts, **numbers}, separators=(",", ":"))
