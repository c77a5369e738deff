"""Bodies of the API's responses."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from adapters.queues import Depth
from domain.errors import Fault, bounded_faults, shorten_error
from domain.estimate import Workers
from domain.keys import kind_of
from domain.routing import Runtime
from domain.row import Row
from domain.task import Task
from domain.webhook import DeliveryRecord
from functions.api import v1alpha1
from functions.api.catalogue import ModelPage
from functions.api.links import Links
from functions.api.listing import Page
from functions.api.queue import Standing
from functions.api.submit import Accepted

_DELAYED = Fault(
    "", "accepted; it could not be sent to its queue just now, and this is tried again within minutes"
)


def task_links(task_id: str, base_url: str) -> dict[str, dict[str, str]]:
    """Return the links to read and to cancel a task."""
    href = f"{base_url}/v1alpha2/tasks/{task_id}"
    return {"status": {"method": "GET", "href": href}, "cancel": {"method": "DELETE", "href": href}}


def submit_response(
    task: Task,
    accepted: Accepted,
    *,
    model: str | None,
    warnings: Sequence[Fault],
    bucket: str,
    base_url: str,
) -> dict[str, Any]:
    """Return the response to a submit: the fields of its API version and those of both versions."""
    of_v1alpha1 = task.api_version == v1alpha1.API_VERSION
    own = v1alpha1.response_fields(model) if of_v1alpha1 else {"runtime": task.runtime}
    warnings = [*warnings, *([_DELAYED] if accepted.delayed else [])]
    return {
        "id_task": task.id,
        **own,
        "output_location": task.keys.location(bucket),
        "id": task.id,
        "status": accepted.row.status.value,
        "links": task_links(task.id, base_url),
        "warnings": [warning.as_dict() for warning in bounded_faults(warnings)],
    }


def error_body(code: str, message: str, details: Sequence[Fault] = ()) -> dict[str, Any]:
    """Return the body of an error response."""
    return {
        "error": {
            "code": code,
            "message": message,
            "details": [fault.as_dict() for fault in details],
        },
    }


def task_details(
    row: Row,
    deliveries: Sequence[DeliveryRecord],
    *,
    standing: Standing,
    presigned: Links,
    bucket: str,
    base_url: str,
) -> dict[str, Any]:
    """Return all details of a task, with new links to its objects that are valid for an hour."""
    _ = row.status  # raises UnreadableRow, which `task_summary` does not
    output = _presign_all([row.item.get("output")], presigned)
    error = row.item.get("error")
    left_out = {
        name: count for name in ("images_left_out", "other_images_left_out") if (count := row.item.get(name))
    }
    return task_summary(row) | {
        "progress": row.item.get("progress") or 0,
        "published_at": row.text("published_at"),
        "cancel_requested": row.text("cancel_requested"),
        "start_by": row.text("start_by"),
        "attempts": row.attempts,
        "context": row.item.get("context"),
        "output_location": row.keys.location(bucket),
        "images": _presign_all(row.images, presigned),
        "other_images": [
            {"kind": kind_of(link["s3"])} | link for link in _presign_all(row.other_images, presigned)
        ],
        "output": output[0] if output else None,
        "outputs_deleted_at": row.text("outputs_deleted_at"),
        "error": shorten_error(error) if isinstance(error, dict) else None,
        "deliveries": [record.as_response() for record in deliveries],
        "links": task_links(row.id, base_url),
        **left_out,
        **standing.as_response(),
    }


def _presign_all(uris: Sequence[Any], presigned: Links) -> list[dict[str, str]]:
    """Return links to objects, without values that are not `s3://` links."""
    found: list[dict[str, str]] = []
    for uri in uris:
        with suppress(ValueError):
            found.append(presigned.get(uri))
    return found


def task_list(page: Page, base_url: str) -> dict[str, Any]:
    """Return one page of a list of tasks."""
    tasks = [task_summary(row) | {"links": task_links(row.id, base_url)} for row in page.rows]
    return {"tasks": tasks, "cursor": page.cursor}


def runtime_summary(runtime: Runtime, depth: Depth, workers: Workers) -> dict[str, Any]:
    """Return a runtime with the depth of its queue and the number of its workers."""
    return {
        "name": runtime.name,
        "type": runtime.type,
        "model": runtime.model_filename,
        "dynamic_model": runtime.dynamic_model,
        "scripts": sorted(runtime.scripts) if runtime.scripts is not None else None,
        "queued": depth.waiting,
        "in_flight": depth.in_flight,
        "workers": {"running": workers.running, "starting": len(workers.starting_seconds)},
    }


def runtime_details(
    summary: dict[str, Any], page: ModelPage, engine: dict[str, Any] | None
) -> dict[str, Any]:
    """Return a runtime with a page of its models and what its engine listed."""
    return summary | {"models": page.models, "cursor": page.cursor, "engine": engine}


def task_summary(row: Row) -> dict[str, Any]:
    """Return the fields of a task that a list contains."""
    names = ("id", "status", "runtime", "tasktype", "submitted_at", "started_at", "finished_at")
    return {name: row.item.get(name) for name in names}
