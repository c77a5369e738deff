"""Entry point of the scaler, which submitted tasks, a schedule, and its own delayed messages invoke."""

import json
import os
import time
from functools import partial
from typing import Any

from adapters.queues import depth
from domain.scaling import ScalingPolicy
from functions.clients import client
from functions.scale.aws import DelayedChecks, EcsServices, ScalingStateRows
from functions.scale.logic import RuntimeService, Scaler


def _parse_services(text: str) -> dict[str, RuntimeService]:
    """Parse SERVICES: {runtime: {"service", "queueUrl", "policy"}}."""
    return {
        runtime: RuntimeService(
            service=fields["service"], queue_url=fields["queueUrl"], policy=ScalingPolicy(**fields["policy"])
        )
        for runtime, fields in json.loads(text).items()
    }


_sqs = client("sqs")
_scaler = Scaler(
    _parse_services(os.environ["SERVICES"]),
    services=EcsServices(client("ecs"), cluster=os.environ["CLUSTER"]),
    depth=partial(depth, _sqs),
    states=ScalingStateRows(client("dynamodb"), os.environ["TASK_TABLE"]),
    clock=time.time,
    check_again=DelayedChecks(_sqs, os.environ["EVENTS_QUEUE_URL"]),
)


def handler(event: dict[str, Any], _context: Any) -> dict[str, int]:
    """Check runtimes and return their desired counts."""
    if "Records" not in event:
        return _scaler.check_each_minute()
    # A submitted task names its runtime in an attribute; a delayed message has none and is for all.
    attributes = [record.get("messageAttributes") or {} for record in event["Records"]]
    if all("runtime" in fields for fields in attributes):
        return _scaler.check_submitted(fields["runtime"]["stringValue"] for fields in attributes)
    return _scaler.check_all()
