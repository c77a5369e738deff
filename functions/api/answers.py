"""The bodies of the API's answers."""

from collections.abc import Sequence
from typing import Any

from domain.errors import Fault
from domain.row import Row
from domain.task import Task
from domain.v1alpha1 import API_VERSION as V1ALPHA1
from functions.api.submit import Accepted

_DELAYED = Fault("", "accepted; handing it to its queue failed just now and is tried again within minutes")


def links(task_id: str, base_url: str) -> dict[str, dict[str, str]]:
    """Return where a task is looked at and cancelled."""
    href = f"{base_url}/v1alpha2/tasks/{task_id}"
    return {"status": {"method": "GET", "href": href}, "cancel": {"method": "DELETE", "href": href}}


def accepted(
    task: Task,
    outcome: Accepted,
    *,
    warnings: Sequence[Fault],
    bucket: str,
    base_url: str,
) -> dict[str, Any]:
    """Return the answer to a submit: the fixed fields of its version, and what stands beside them."""
    own: dict[str, Any] = {"runtime": task.runtime}
    if task.api_version == V1ALPHA1:
        own = {"sd_model_checkpoint": task.checkpoint}
    told = [*warnings, *([_DELAYED] if outcome.delayed else [])]
    return {
        "id_task": task.id,
        **own,
        "output_location": task.keys.location(bucket),
        "id": task.id,
        "status": outcome.row.status.value,
        "links": links(task.id, base_url),
        "warnings": [warning.as_dict() for warning in told],
    }


def refusal(code: str, message: str, details: Sequence[Fault] = ()) -> dict[str, Any]:
    """Return the one shape of every refusal."""
    return {
        "error": {
            "code": code,
            "message": message,
            "details": [fault.as_dict() for fault in details],
        },
    }


def about_row(row: Row) -> dict[str, Any]:
    """Return what a list shows of a task."""
    names = ("id", "status", "runtime", "tasktype", "submitted_at", "started_at", "finished_at")
    return {name: row.item.get(name) for name in names}
