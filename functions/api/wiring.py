"""The API's parts, put together from clients."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapters.results import Results
from adapters.table import Table
from adapters.tasks import Tasks
from domain.clock import now
from functions.api.routes import Services
from functions.api.submit import Submit
from functions.environment import ApiEnvironment


def services(
    environment: ApiEnvironment,
    *,
    dynamodb: Any,
    sns: Any,
    s3: Any,
    clock: Callable[[], datetime] = now,
) -> Services:
    """Return what the routes call, over these boto3 clients."""
    table = Table(dynamodb, environment.task_table)
    results = Results(sns, environment.result_topic_arn, table)
    tasks = Tasks(sns, s3, topic_arn=environment.task_topic_arn, bucket=environment.task_bucket)
    return Services(
        environment=environment, submit=Submit(table=table, tasks=tasks, results=results, clock=clock)
    )
