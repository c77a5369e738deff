"""The errors that the API responds with, as exceptions that error_handlers.py converts to responses."""

from domain.errors import ErrorCode, Fault, InvalidTask, fault_count_text
from domain.limits import MAX_ID_LENGTH, ROW_DAYS
from domain.row import Row


def not_found(message: str) -> InvalidTask:
    """Return the error for something that does not exist."""
    return InvalidTask(message, code=ErrorCode.NOT_FOUND, status=404)


def _conflict(message: str) -> InvalidTask:
    return InvalidTask(message, code=ErrorCode.CONFLICT, status=409)


def id_in_use(row: Row) -> InvalidTask:
    """Return the error for another task under an id that is queued or running."""
    return _conflict(
        f"Another task with the id {row.id} is {row.status.value}; "
        "wait for its outcome, cancel it, or use another id."
    )


def already_finished(row: Row) -> InvalidTask:
    """Return the error for a cancel of a task that has ended."""
    return _conflict(f"The task is {row.status.value} already.")


def not_finished(row: Row) -> InvalidTask:
    """Return the error for deleting the outputs of a task that has not ended."""
    return _conflict(
        f"The task is {row.status.value}; its outputs can be deleted after it has ended. Cancel it if you do "
        "not need it."
    )


def webhook_not_due(row: Row) -> InvalidTask:
    """Return the error for sending the webhook of a task that has not ended again."""
    return _conflict(f"The task is {row.status.value}; its webhook is sent when it has ended.")


def no_webhook(row: Row) -> InvalidTask:
    """Return the error for a task without a webhook for its outcome."""
    return _conflict(f"The task has no webhook for the event {row.status.value}.")


def callback_pending(row: Row) -> InvalidTask:
    """Return the error for an id whose finished task has a callback that could not be sent."""
    return _conflict(
        f"The task with the id {row.id} is {row.status.value}, and its callback has not been sent yet; try "
        "again in some minutes, or use another id."
    )


def too_many_changes(task_id: str) -> InvalidTask:
    """Return the error for a request whose writes were all refused because other requests changed the row."""
    return _conflict(f"The task {task_id} is being changed by other requests; try again.")


def unreadable_row() -> InvalidTask:
    """Return the error for a task whose row this version cannot read."""
    return _conflict(
        "This version cannot read the task's row: a newer version wrote it, or it was changed by hand. "
        f"It is kept for {ROW_DAYS} days; use another id."
    )


def wrong_media_type(found: str) -> InvalidTask:
    """Return the error for a body whose content type is not JSON."""
    what = f"it is {found[:80]}" if found else "there is none"
    return InvalidTask(
        f"The header Content-Type must be application/json; {what}.",
        code=ErrorCode.UNSUPPORTED_MEDIA_TYPE,
        status=415,
    )


def invalid_parameters(faults: list[Fault]) -> InvalidTask:
    """Return the error for wrong parameters; the path of a fault is the name of its parameter."""
    return InvalidTask(f"The request has {fault_count_text(faults)}.", faults=faults)


def task_not_found(task_id: str) -> InvalidTask:
    """Return the error for an id without a task."""
    return not_found(
        f"There is no task {task_id[:MAX_ID_LENGTH]!r}; a finished one is kept for {ROW_DAYS} days."
    )
