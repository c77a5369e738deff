"""Entry point of the sweep."""

import os
import time
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from adapters.queues import depth
from domain.clock import now
from functions.clients import client
from functions.composition import compose
from functions.environment import Environment
from functions.publisher import Publisher
from functions.sweep.sweep import DEPTH_READINGS, READING_PAUSE_SECONDS, Sweep

_RESERVE_MILLISECONDS: Final = 30_000 + int(DEPTH_READINGS * READING_PAUSE_SECONDS * 1000)
"""How long one more task may take: several readings of a queue's depth, and a few AWS calls with retries."""

_environment = Environment.read(os.environ)
_shared = compose(_environment, dynamodb=client("dynamodb"), sns=client("sns"), s3=client("s3"))
_sweep = Sweep(
    runtimes=_environment.runtimes,
    table=_shared.table,
    listing=_shared.listing,
    publisher=Publisher(table=_shared.table, tasks=_shared.tasks),
    results=_shared.results,
    depth=partial(depth, client("sqs")),
    clock=now,
    pause=time.sleep,
)


def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Sweep once; the schedule repeats a failed run."""
    return asdict(_sweep(lambda: context.get_remaining_time_in_millis() > _RESERVE_MILLISECONDS))
