"""Create the adapters that several functions use."""

from dataclasses import dataclass
from typing import Any

from adapters.listing import Listing
from adapters.orphans import OrphanCleaner
from adapters.results import Results
from adapters.table import Table
from adapters.tasks import Tasks
from functions.environment import Environment


@dataclass(frozen=True, slots=True)
class SharedAdapters:
    """The adapters that the API, the sweep and the dead-letter function share."""

    table: Table
    listing: Listing
    tasks: Tasks
    results: Results
    objects: OrphanCleaner


def compose(environment: Environment, *, dynamodb: Any, sns: Any, s3: Any) -> SharedAdapters:
    """Create the shared adapters from boto3 clients."""
    table = Table(dynamodb, environment.task_table)
    objects = OrphanCleaner(s3, environment.output_bucket)
    return SharedAdapters(
        table=table,
        listing=Listing(dynamodb, environment.task_table),
        tasks=Tasks(sns, s3, topic_arn=environment.task_topic_arn, bucket=environment.task_bucket),
        results=Results(sns, environment.result_topic_arn, table, objects),
        objects=objects,
    )
