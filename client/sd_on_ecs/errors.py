"""The exceptions that the library raises; all of them are a `ClientError`."""

import re
from collections.abc import Sequence
from typing import Any

import httpx

from sd_on_ecs.api_types import Fault, Task


class ClientError(Exception):
    """The base of this library's exceptions."""


class NotConfigured(ClientError):
    """It is not known which deployment to call, or with which key."""


class InputError(ClientError):
    """A local file or a value cannot be used."""


class Unreachable(ClientError):
    """The API, or a link that it gave, did not respond; trying again later may help."""


class InvalidWebhook(ClientError):
    """A request to a webhook was not signed with this secret, or it is too old."""


class ApiError(ClientError):
    """The API refused a request: an HTTP status, a stable code, a message, and all faults of the request."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        faults: Sequence[Fault] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.faults = list(faults)
        self.request_id = request_id

    def __str__(self) -> str:
        """Return the message, with one line for each fault."""
        lines = [f"  {fault['path']}: {fault['message']}" for fault in self.faults]
        request = f" (request {self.request_id})" if self.request_id else ""
        return "\n".join([f"{self.message}{request}", *lines])


class NotFound(ApiError):
    """There is no such task, or it does not have this output (404)."""


class Conflict(ApiError):
    """The state of the task does not allow this (409)."""


class KeyRefused(ApiError):
    """The API key is missing or unknown (403)."""


class ServiceFailed(ApiError):
    """The API failed (5xx), had too many requests (429), also after retries, or answered something else."""


class TaskFailed(ClientError):
    """A task ended without what was asked for; `task` has the details."""

    def __init__(self, task: Task) -> None:
        error = task["error"] or {"code": task["status"], "message": f"The task is {task['status']}."}
        super().__init__(f"{task['id']} {task['status']}: {error['message']} ({error['code']})")
        self.task = task
        self.code = str(error["code"])


class SweepFailed(ClientError):
    """Some tasks of a sweep ended without what was asked for."""

    def __init__(self, batch: str, failed: Sequence[Task], count: int) -> None:
        lines = [str(TaskFailed(task)) for task in failed]
        super().__init__("\n".join([f"{batch}: {len(failed)} of {count} tasks are not completed", *lines]))
        self.failed = list(failed)


class WaitTimeout(ClientError):
    """A task has not ended in the time that its caller waited; it goes on."""

    def __init__(self, task_id: str, seconds: float) -> None:
        super().__init__(f"{task_id} has not ended after {seconds:g} seconds; it goes on")
        self.task_id = task_id


_BY_STATUS: dict[int, type[ApiError]] = {403: KeyRefused, 404: NotFound, 409: Conflict, 429: ServiceFailed}


def error_of(response: httpx.Response) -> ApiError:
    """Return the error in a response of the API, or of API Gateway, which has another form."""
    status = response.status_code
    kind = _BY_STATUS.get(status, ServiceFailed if status >= 500 else ApiError)
    body = _json(response) or {}
    error = body.get("error")
    if isinstance(error, dict):
        return kind(
            status,
            str(error.get("code")),
            str(error.get("message")),
            error.get("details") or (),
            error.get("request_id"),
        )
    if status == 403:
        message = "The API key is missing or unknown, or the endpoint lacks its stage (…amazonaws.com/STAGE)."
        return kind(status, "forbidden", message)
    if status == 429:
        return kind(status, "too_many_requests", "The deployment allows no more requests just now.")
    answer = str(body.get("message") or response.text[:200] or response.reason_phrase)
    return kind(status, "unexpected_response", f"{_place(response)} answered {status}: {answer}")


def storage_error(response: httpx.Response) -> ApiError:
    """Return the error in a response of S3, to which links and uploads lead; its code is that of S3."""
    status = response.status_code
    kind = NotFound if status == 404 else ServiceFailed if status in (429, *range(500, 600)) else ApiError
    # Only these two elements: the others of some errors contain what was signed.
    code, message = (
        found[1].strip() if (found := re.search(f"<{name}>([^<]*)</{name}>", response.text)) else ""
        for name in ("Code", "Message")
    )
    answer = f"{message or response.reason_phrase}{f' ({code})' if code else ''}"
    return kind(status, code or "storage_error", f"{_place(response)} answered {status}: {answer}")


def _place(response: httpx.Response) -> httpx.URL:
    """Return the URL of a response without its query: that of a link to S3 allows to use the link."""
    return response.url.copy_with(query=None, userinfo=b"")


def require_json(response: httpx.Response) -> None:
    """Raise `ServiceFailed` for a response without a JSON object, as a proxy or another server sends it."""
    if _json(response) is None:
        answer = f"{_place(response)} answered {response.status_code} without a JSON object"
        message = f"{answer}, so something else than the API responds there: {response.text[:200]!r}"
        raise ServiceFailed(response.status_code, "unexpected_response", message)


def _json(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
