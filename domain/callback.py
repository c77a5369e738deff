"""Content and attributes of the callback on the results topic."""

from typing import Any

from domain.errors import shorten_error
from domain.row import Row, Status

_RESULTS = {Status.COMPLETED: True, Status.FAILED: False, Status.CANCELLED: False}


def callback_content(row: Row, *, brief: bool = False) -> dict[str, Any]:
    """Build the callback for the current state of a row.

    All keys are always present except `images_left_out`, which counts images that are named in the output
    document only. With `brief`, `context` and `image_url` are left out and the error is shortened, so that
    the callback of any row fits into an SNS message.
    """
    status = row.status
    images = row.images if status is Status.COMPLETED else []
    error = row.item.get("error")
    left_out = int(row.item.get("images_left_out") or 0)
    if brief:
        left_out, images = left_out + len(images), []
        error = shorten_error(error) if isinstance(error, dict) else None
    return {
        "id": row.id,
        "runtime": row.runtime,
        "result": _RESULTS.get(status),
        "status": Status.RUNNING.value if status is Status.QUEUED else status.value,
        "image_url": images,
        "output_url": row.text("output"),
        "context": None if brief else row.item.get("context"),
        "error": error,
    } | ({"images_left_out": left_out} if left_out else {})


def callback_attributes(row: Row) -> dict[str, str]:
    """Return the SNS message attributes that subscribers can filter by.

    `webhook` is the submission whose webhook gets this callback; other callbacks do not have it.
    """
    status = str(callback_content(row)["status"])
    webhook = {"webhook": row.submission_id} if status in row.webhook_events else {}
    return webhook | {
        "id": row.id,
        "runtime": row.runtime,
        "status": status,
        "tasktype": row.text("tasktype") or "unknown",
    }
