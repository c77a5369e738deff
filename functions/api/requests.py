"""Read requests from API Gateway's event."""

import base64
import binascii
import re
from typing import Any

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from domain.body import parse_body
from domain.envelope import check_id, unknown_keys
from domain.errors import ErrorCode, Fault, InvalidTask
from domain.limits import DEFAULT_LIMITS, Limits
from functions.api.links import UPLOAD_TYPES
from functions.api.request_errors import invalid_parameters, task_not_found, wrong_media_type
from runtimes.media import OTHER_TYPES


def json_body(event: APIGatewayProxyEvent, limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """Return the request's JSON object; raise InvalidTask (400, 413, 415)."""
    content_type = event.headers.get("content-type") or ""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise wrong_media_type(content_type)
    return parse_body(raw_body(event), limits)


def raw_body(event: APIGatewayProxyEvent) -> bytes:
    """Return the request's bytes, whether or not API Gateway encoded them as base64."""
    body = event.body or ""
    if not event.is_base64_encoded:
        # Without this, half of a surrogate pair would raise here; parse_body reports it as invalid UTF-8.
        return body.encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise InvalidTask(
            "The request is not valid JSON.",
            code=ErrorCode.INVALID_JSON,
            faults=[Fault("", "the body is not the base64 that API Gateway announced")],
        ) from None


def valid_id(task_id: str) -> str:
    """Return the id in a path; raise InvalidTask (404) if it is not valid, because no task can have it."""
    if check_id(task_id, "id"):
        raise task_not_found(task_id)
    return task_id


def parameters(event: APIGatewayProxyEvent) -> dict[str, list[str]]:
    """Return the parameters of the query string, each with all of its values."""
    raw = event.raw_event
    if many := raw.get("multiValueQueryStringParameters"):
        return {name: list(values) for name, values in many.items()}
    return {name: [value] for name, value in (raw.get("queryStringParameters") or {}).items()}


def upload_type(event: APIGatewayProxyEvent) -> str | None:
    """Return the content type in an upload request's optional body; raise InvalidTask (400, 413, 415)."""
    if not event.body:
        return None
    body = json_body(event)
    faults = unknown_keys(body, ["content_type"], "")
    content_type = body.get("content_type")
    if content_type is not None and content_type not in list(
        UPLOAD_TYPES
    ):  # a list, as the value may not be hashable
        reason = OTHER_TYPES.get(str(content_type).partition(";")[0].strip().lower())
        message = f"one of {', '.join(UPLOAD_TYPES)} is expected"
        faults.append(Fault("/content_type", f"{reason}: {message}" if reason else message))
    if faults:
        raise invalid_parameters(faults)
    return content_type


def with_plain_path(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event with single slashes in its path and none at the end.

    Clients append a slash to the endpoint, which already ends with one, and another one to the path. API
    Gateway still finds the resource, and passes the path on unchanged.
    """
    context = event.get("requestContext") or {}
    return event | {
        "path": _plain(event.get("path")),
        "requestContext": context | {"path": _plain(context.get("path"))},
    }


def _plain(path: Any) -> str:
    return "/" + re.sub("/+", "/", str(path or "")).strip("/")


def base_url(event: APIGatewayProxyEvent) -> str:
    """Return the URL of this API: its own host and stage, or a custom domain and its base path."""
    context = event.raw_event["requestContext"]
    base_path = str(context.get("path") or "").removesuffix(event.path)
    if context.get("domainName"):
        return f"https://{context['domainName']}{base_path}"
    # The emulator of `local/` sends no domain name, and serves an API below /_aws/execute-api/API_ID.
    return f"http://{event.headers.get('host')}/_aws/execute-api/{context.get('apiId')}{base_path}"


def request_id(event: APIGatewayProxyEvent) -> str:
    """Return API Gateway's id for this request, which its access log contains too."""
    return str(event.raw_event.get("requestContext", {}).get("requestId") or "unknown")
