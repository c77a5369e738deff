"""Create the API's services from boto3 clients."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from adapters.queues import depth
from adapters.runtime_report import RuntimeReports
from adapters.webhook_records import WebhookRecords
from adapters.workers import WorkerRows
from domain.clock import now
from functions.api.cancel import Cancel
from functions.api.known_models import KnownModels
from functions.api.links import Links
from functions.api.model_bucket import ModelBucket
from functions.api.output_deletion import OutputDeletion
from functions.api.queue import QueueReader
from functions.api.reports import LastReports
from functions.api.resend import Resend
from functions.api.routes import Services
from functions.api.submit import Submit
from functions.api.waiting import TaskWaiter
from functions.composition import compose
from functions.environment import ApiEnvironment
from runtimes.registry import RUNTIME_TYPES, RuntimeTypes


def services(
    environment: ApiEnvironment,
    *,
    dynamodb: Any,
    sns: Any,
    s3: Any,
    sqs: Any,
    clock: Callable[[], datetime] = now,
    types: RuntimeTypes = RUNTIME_TYPES,
    wait: TaskWaiter | None = None,
) -> Services:
    """Create the services that the routes call."""
    shared = compose(environment, dynamodb=dynamodb, sns=sns, s3=s3)
    table, results = shared.table, shared.results
    bucket = ModelBucket(s3, environment.model_bucket)
    reports = LastReports(RuntimeReports(s3, environment.task_bucket))
    models = KnownModels(bucket=bucket, reports=reports, types=types)
    workers = WorkerRows(dynamodb, environment.task_table, clock=clock)
    webhooks = WebhookRecords(dynamodb, environment.task_table)
    return Services(
        environment=environment,
        types=types,
        submit=Submit(
            table=table,
            tasks=shared.tasks,
            results=results,
            models=models,
            webhooks=webhooks,
            types=types,
            clock=clock,
        ),
        cancel=Cancel(table=table, results=results, clock=clock),
        delete_outputs=OutputDeletion(table=table, results=results, objects=shared.objects, clock=clock),
        table=table,
        listing=shared.listing,
        models=bucket,
        reports=reports,
        webhooks=webhooks,
        wait=TaskWaiter(table=table) if wait is None else wait,
        resend=Resend(
            table=table, records=webhooks, sqs=sqs, queue_url=environment.webhook_queue_url, clock=clock
        ),
        standing=QueueReader(listing=shared.listing, workers=workers, clock=clock),
        workers=workers,
        links=Links(
            s3,
            upload_bucket=environment.upload_bucket,
            media_bytes=environment.limits.media_bytes,
            clock=clock,
        ),
        depth=partial(depth, sqs),
    )
