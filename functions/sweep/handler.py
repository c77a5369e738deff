"""The sweep's entry: wiring, and when to stop."""

import os
import time
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from adapters.listing import Listing
from adapters.orphans import OrphanCleaner
from adapters.queues import depth
from adapters.results import Results
from adapters.table import Table
from adapters.tasks import Tasks
from domain.clock import now
from functions.clients import client
from functions.environment import Environment
from functions.publisher import Publisher
from functions.sweep.sweep import LOOK_AGAIN_SECONDS, LOOKS, Sweep

_RESERVE_MILLISECONDS: Final = 30_000 + int(LOOKS * LOOK_AGAIN_SECONDS * 1000)
"""What one more task may take: the looks at its queue, and a few AWS calls with their retries."""

_environment = Environment.read(os.environ)
_dynamodb, _sns, _s3 = client("dynamodb"), client("sns"), client("s3")
_table = Table(_dynamodb, _environment.task_table)
_tasks = Tasks(_sns, _s3, topic_arn=_environment.task_topic_arn, bucket=_environment.task_bucket)
_orphans = OrphanCleaner(_s3, _environment.output_bucket)
_sweep = Sweep(
    runtimes=_environment.runtimes,
    table=_table,
    listing=Listing(_dynamodb, _environment.task_table),
    publisher=Publisher(table=_table, tasks=_tasks),
    results=Results(_sns, _environment.result_topic_arn, _table, _orphans),
    depth=partial(depth, client("sqs")),
    clock=now,
    pause=time.sleep,
)


def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Sweep once; the schedule is the retry."""
    return asdict(_sweep(lambda: context.get_remaining_time_in_millis() > _RESERVE_MILLISECONDS))
