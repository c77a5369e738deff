"""The callback on the results topic."""

from typing import Any

from domain.errors import cut_error
from domain.row import Row, Status

_RESULTS = {Status.COMPLETED: True, Status.FAILED: False, Status.CANCELLED: False}


def callback(row: Row, *, brief: bool = False) -> dict[str, Any]:
    """Return what the row says to its caller, all keys always present but `images_left_out`.

    That one counts images that stand in the output document alone. `brief` is what any topic can carry, of
    whatever row: `context` and `image_url` are left out then, and the error is cut.
    """
    status = row.status
    images = _texts(row.item.get("images")) if status is Status.COMPLETED else []
    error = row.item.get("error")
    left_out = int(row.item.get("images_left_out") or 0)
    if brief:
        left_out, images = left_out + len(images), []
        error = cut_error(error) if isinstance(error, dict) else None
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


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def callback_attributes(row: Row) -> dict[str, str]:
    """Return the SNS message attributes by which a subscriber can filter."""
    return {
        "id": row.id,
        "runtime": row.runtime,
        "status": str(callback(row)["status"]),
        "tasktype": str(row.item["tasktype"]),
    }
