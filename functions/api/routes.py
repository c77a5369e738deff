"""The API's routes: parse, call, respond."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from adapters.listing import Listing
from adapters.queues import Depth
from adapters.table import Table
from adapters.webhook_records import WebhookRecords
from adapters.workers import WorkerRows
from domain.envelope import Submission
from domain.routing import Runtime
from domain.row import Row, Status
from functions.api import response_bodies, v1alpha1, v1alpha2
from functions.api.cancel import Cancel
from functions.api.catalogue import engine_lists, find_runtime, list_models
from functions.api.catalogue import read_query as read_model_query
from functions.api.error_handlers import add_error_handlers, json_response
from functions.api.links import Links
from functions.api.listing import list_tasks, read_query
from functions.api.model_bucket import ModelBucket
from functions.api.openapi import document
from functions.api.output_deletion import OutputDeletion
from functions.api.queue import NOT_QUEUED, QueueReader
from functions.api.reports import LastReports
from functions.api.request_errors import task_not_found
from functions.api.requests import (
    api_key_id,
    base_url,
    json_body,
    normalize_path,
    parse_task_id,
    parse_upload_type,
    query_parameters,
)
from functions.api.resend import Resend
from functions.api.submit import Submit
from functions.api.waiting import TaskWaiter, etag, parse_entity_tags, seconds_to_wait
from functions.environment import ApiEnvironment
from runtimes.registry import RuntimeTypes


@dataclass(frozen=True, kw_only=True)
class Services:
    """What the routes call."""

    environment: ApiEnvironment
    types: RuntimeTypes
    submit: Submit
    cancel: Cancel
    delete_outputs: OutputDeletion
    table: Table
    listing: Listing
    models: ModelBucket
    reports: LastReports
    webhooks: WebhookRecords
    resend: Resend
    wait: TaskWaiter
    standing: QueueReader
    workers: WorkerRows
    links: Links
    depth: Callable[[str], Depth]
    """Returns the depth of the queue at a URL."""


class Resolver(APIGatewayRestResolver):
    """Finds the route of a path, however many slashes separate its segments."""

    def resolve(self, event: Any, context: Any) -> dict[str, Any]:
        """Return the response to an event of API Gateway."""
        return super().resolve(normalize_path(event), context)


def create_app(services: Services) -> Resolver:
    """Create the resolver with all routes."""
    app = Resolver()
    add_error_handlers(app)
    _submit_routes(app, services)
    _task_routes(app, services)
    _other_routes(app, services)
    return app


def _submit_routes(app: APIGatewayRestResolver, services: Services) -> None:
    runtimes, limits = services.environment.runtimes, services.environment.limits
    rules = services.environment.webhooks_allow

    def accept(submission: Submission) -> Response[str]:
        accepted = services.submit(
            submission, caller=api_key_id(app.current_event), trace=os.environ.get("_X_AMZN_TRACE_ID")
        )
        body = response_bodies.submit_response(
            submission.task,
            accepted,
            model=services.types[submission.runtime.type].affinity(
                submission.task.content, submission.runtime
            ),
            warnings=[*submission.warnings, *accepted.warnings],
            bucket=services.environment.output_bucket,
            base_url=base_url(app.current_event),
        )
        return json_response(body)

    @app.post("/v1alpha1")
    def submit_v1alpha1() -> Response[str]:
        body = json_body(app.current_event, limits)
        return accept(v1alpha1.decode(body, runtimes, limits, rules))

    @app.post("/v1alpha2")
    def submit_v1alpha2() -> Response[str]:
        body = json_body(app.current_event, limits)
        return accept(v1alpha2.decode(body, runtimes, limits, services.types, rules))


def _task_routes(app: APIGatewayRestResolver, services: Services) -> None:
    def details(row: Row) -> dict[str, Any]:
        return response_bodies.task_details(
            row,
            services.webhooks.read_all(row.submission_id, row.webhook_events),
            standing=services.standing(row) if row.status is Status.QUEUED else NOT_QUEUED,
            presigned=services.links,
            bucket=services.environment.output_bucket,
            base_url=base_url(app.current_event),
        )

    @app.get("/v1alpha2/tasks")
    def list_() -> Response[str]:
        query = read_query(query_parameters(app.current_event), services.environment.runtimes)
        return json_response(
            response_bodies.task_list(list_tasks(services.listing, query), base_url(app.current_event))
        )

    @app.get("/v1alpha2/tasks/<task_id>")
    def read(task_id: str) -> Response[str]:
        row = services.table.get(parse_task_id(task_id))
        if row is None:
            raise task_not_found(task_id)
        return json_response(details(row), headers={"ETag": etag(row)})

    @app.get("/v1alpha2/tasks/<task_id>/wait")
    def wait(task_id: str) -> Response[str]:
        event = app.current_event
        known_tags = parse_entity_tags(event.headers.get("if-none-match"))
        seconds = seconds_to_wait(query_parameters(event))
        waited = services.wait(parse_task_id(task_id), seconds=seconds, known_tags=known_tags)
        headers = {"Cache-Control": "no-store", "ETag": etag(waited.row)}
        if waited.unchanged:
            return Response(int(HTTPStatus.NOT_MODIFIED), body="", headers=headers)
        return json_response(details(waited.row), headers=headers)

    @app.delete("/v1alpha2/tasks/<task_id>")
    def cancel(task_id: str) -> Response[str]:
        row = services.cancel(parse_task_id(task_id))
        return json_response(details(row), HTTPStatus.OK if row.status.final else HTTPStatus.ACCEPTED)

    @app.post("/v1alpha2/tasks/<task_id>/webhook")
    def resend(task_id: str) -> Response[str]:
        return json_response(details(services.resend(parse_task_id(task_id))), HTTPStatus.ACCEPTED)

    @app.delete("/v1alpha2/tasks/<task_id>/outputs")
    def delete_outputs(task_id: str) -> Response[str]:
        return json_response(details(services.delete_outputs(parse_task_id(task_id))))


def _other_routes(app: APIGatewayRestResolver, services: Services) -> None:
    runtimes, limits = services.environment.runtimes, services.environment.limits

    def summary(runtime: Runtime) -> dict[str, Any]:
        depth, workers = services.depth(runtime.queue_url), services.workers.read(runtime.name)
        return response_bodies.runtime_summary(runtime, depth, workers)

    @app.get("/v1alpha2/runtimes")
    def list_runtimes() -> Response[str]:
        summaries = [summary(runtime) for runtime in runtimes]
        return json_response({"runtimes": summaries})

    @app.get("/v1alpha2/runtimes/<name>")
    def describe_runtime(name: str) -> Response[str]:
        runtime = find_runtime(name, runtimes)
        runtime_type = services.types[runtime.type]
        query = read_model_query(query_parameters(app.current_event), runtime_type)
        body = response_bodies.runtime_details(
            summary(runtime),
            list_models(services.models, query, runtime_type, runtime),
            engine_lists(services.reports.last_if_readable(runtime.name), runtime_type),
        )
        return json_response(body)

    @app.post("/v1alpha2/uploads")
    def upload() -> Response[str]:
        return json_response(services.links.upload(parse_upload_type(app.current_event)))

    @app.get("/openapi.json")
    def describe() -> Response[str]:
        return json_response(document(base_url(app.current_event), runtimes, limits, services.types))
