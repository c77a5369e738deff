"""The callback on the results topic (design, section 3.6)."""

from typing import Any

from domain.row import Row, Status

_RESULTS = {Status.COMPLETED: True, Status.FAILED: False, Status.CANCELLED: False}


def callback(row: Row) -> dict[str, Any]:
    """Return what the row says to its caller, all keys always present."""
    status = row.status
    return {
        "id": row.id,
        "runtime": row.runtime,
        "result": _RESULTS.get(status),
        "status": Status.RUNNING.value if status is Status.QUEUED else status.value,
        "image_url": list(row.item.get("images") or []) if status is Status.COMPLETED else [],
        "output_url": row.text("output"),
        "context": row.item.get("context"),
        "error": row.item.get("error"),
    }


def callback_attributes(row: Row) -> dict[str, str]:
    """Return the SNS message attributes by which a subscriber can filter."""
    return {
        "id": row.id,
        "runtime": row.runtime,
        "status": str(callback(row)["status"]),
        "tasktype": str(row.item["tasktype"]),
    }
