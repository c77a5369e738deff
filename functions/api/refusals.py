"""What the API refuses, as the exceptions that errors.py turns into answers."""

from domain.errors import ErrorCode, Fault, InvalidTask, number_of
from domain.limits import MAX_ID_LENGTH, ROW_DAYS
from domain.row import Row


def not_found(message: str) -> InvalidTask:
    """Return the refusal of what is not there."""
    return InvalidTask(message, code=ErrorCode.NOT_FOUND, status=404)


def id_is_active(row: Row) -> InvalidTask:
    """Return the refusal of another task under an id that is queued or running."""
    return InvalidTask(
        f"Another task with the id {row.id} is {row.status.value}; "
        "wait for its outcome, cancel it, or use another id.",
        code=ErrorCode.CONFLICT,
        status=409,
    )


def is_finished(row: Row) -> InvalidTask:
    """Return the refusal to cancel what has its outcome."""
    return InvalidTask(f"The task is {row.status.value} already.", code=ErrorCode.CONFLICT, status=409)


def is_untold(row: Row) -> InvalidTask:
    """Return the refusal of an id whose last outcome could not be sent to the results topic just now."""
    return InvalidTask(
        f"The task with the id {row.id} is {row.status.value}, and its callback is yet to be sent; try again "
        "in some minutes, or use another id.",
        code=ErrorCode.CONFLICT,
        status=409,
    )


def changes_too_fast(task_id: str) -> InvalidTask:
    """Return the refusal of a request that lost every race for its row."""
    return InvalidTask(
        f"The task {task_id} is being changed by other requests; try again.",
        code=ErrorCode.CONFLICT,
        status=409,
    )


def wrong_media_type(found: str) -> InvalidTask:
    """Return the refusal of a body that does not call itself JSON."""
    what = f"it is {found[:80]}" if found else "there is none"
    return InvalidTask(
        f"The header Content-Type must be application/json; {what}.",
        code=ErrorCode.UNSUPPORTED_MEDIA_TYPE,
        status=415,
    )


def bad_parameter(faults: list[Fault]) -> InvalidTask:
    """Return the refusal of a request whose parameters are wrong; a path is the parameter's name."""
    return InvalidTask(f"The request has {number_of(faults)}.", faults=faults)


def no_task(task_id: str) -> InvalidTask:
    """Return the refusal of an id that no task has, or none any more."""
    return not_found(
        f"There is no task {task_id[:MAX_ID_LENGTH]!r}; a finished one is kept for {ROW_DAYS} days."
    )
