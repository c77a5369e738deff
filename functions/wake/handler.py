"""Entry point of the waker, invoked by the tasks topic and by a schedule."""

import json
import os
import time
from typing import Any

from functions.clients import client
from functions.log import logger
from functions.wake.aws import EcsServices, SqsQueues
from functions.wake.logic import RuntimeService, Waker


def _runtimes(text: str) -> dict[str, RuntimeService]:
    """Parse SERVICES: {runtime: {"service", "queueUrl"}}."""
    return {
        runtime: RuntimeService(service=each["service"], queue_url=each["queueUrl"])
        for runtime, each in json.loads(text).items()
    }


_waker = Waker(
    _runtimes(os.environ["SERVICES"]),
    services=EcsServices(client("ecs"), cluster=os.environ["CLUSTER"]),
    queues=SqsQueues(client("sqs")),
    clock=time.monotonic,
)


def published_for(event: dict[str, Any]) -> list[str]:
    """Return the runtimes named by the messages of an SNS event, and none for any other event."""
    records = event.get("Records", [])
    attributes = (record.get("Sns", {}).get("MessageAttributes", {}) for record in records)
    return [each["runtime"]["Value"] for each in attributes if "runtime" in each]


def handler(event: dict[str, Any], context: Any) -> dict[str, list[str]]:
    """Start the runtimes that an SNS event names, or on a schedule all runtimes that have messages."""
    started = _waker.start_published(published_for(event)) if "Records" in event else _waker.start_waiting()
    if started:
        logger.info("started", extra={"runtimes": started})
    return {"started": started}
