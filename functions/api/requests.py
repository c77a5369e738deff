"""Read requests from API Gateway's event."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from domain.body import parse_body
from domain.envelope import group_faults, id_faults, unknown_key_faults
from domain.errors import Fault, InvalidTask
from domain.limits import DEFAULT_LIMITS, Limits
from functions.api.links import UPLOAD_TYPES
from functions.api.request_errors import invalid_parameters, task_not_found, wrong_media_type
from runtimes.media import UNSUPPORTED_TYPE_HINTS


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
            "The request's body could not be decoded.",
            faults=[Fault("", "the event says that the body is base64, but it is not valid base64")],
        ) from None


def parse_task_id(task_id: str) -> str:
    """Return the id from a path; raise InvalidTask (404) if no task can have this id."""
    if id_faults(task_id, "id"):
        raise task_not_found(task_id)
    return task_id


def query_parameters(event: APIGatewayProxyEvent) -> dict[str, list[str]]:
    """Return the parameters of the query string, each with all of its values."""
    raw = event.raw_event
    if value_lists := raw.get("multiValueQueryStringParameters"):
        return {name: list(values) for name, values in value_lists.items()}
    # An event that API Gateway did not make, such as a hand-written test event, may have only this form.
    return {name: [value] for name, value in (raw.get("queryStringParameters") or {}).items()}


def single_values(
    parameters: Mapping[str, Sequence[str]], known: Sequence[str]
) -> tuple[list[str | None], list[Fault]]:
    """Return the values of the known parameters in order, and a fault for each other or repeated one."""
    faults = [
        Fault(name, f"unknown parameter; the known parameters are {', '.join(known)}")
        for name in parameters
        if name not in known
    ]
    faults += [Fault(name, "given more than once") for name, values in parameters.items() if len(values) > 1]
    return [next(iter(parameters.get(name, ())), None) for name in known], faults


def parse_limit(text: str | None, faults: list[Fault], *, default: int, maximum: int) -> int:
    """Return the parameter `limit`; append a fault if it is not an integer from 1 to `maximum`."""
    if text is None:
        return default
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(maximum))
    if is_number and 1 <= int(text) <= maximum:
        return int(text)
    faults.append(Fault("limit", f"an integer from 1 to {maximum} is expected"))
    return default


def parse_upload_type(event: APIGatewayProxyEvent) -> str | None:
    """Return the content type in an upload request's optional body; raise InvalidTask (400, 413, 415)."""
    if not event.body:
        return None
    body = json_body(event)
    faults = unknown_key_faults(body, ["content_type"], "")
    content_type = body.get("content_type")
    # A list, because the value may be an object, which cannot be looked up in a dictionary.
    if content_type is not None and content_type not in list(UPLOAD_TYPES):
        hint = UNSUPPORTED_TYPE_HINTS.get(str(content_type).partition(";")[0].strip().lower())
        message = f"one of {', '.join(UPLOAD_TYPES)} is expected"
        faults.append(Fault("/content_type", f"{hint}: {message}" if hint else message))
    if faults:
        raise invalid_parameters(faults)
    return content_type


def normalize_path(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event with single slashes in its path and none at the end.

    Some clients join the endpoint and the path with two slashes, or append one to the path. API Gateway
    accepts such a path and passes it on unchanged, but the resolver would not find its route.
    """
    context = event.get("requestContext") or {}
    return event | {
        "path": _single_slashes(event.get("path")),
        "requestContext": context | {"path": _single_slashes(context.get("path"))},
    }


def _single_slashes(path: Any) -> str:
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


def api_key_id(event: APIGatewayProxyEvent) -> str | None:
    """Return the id of the API key with which the request was sent; never the key itself."""
    identity = event.raw_event.get("requestContext", {}).get("identity") or {}
    key_id = identity.get("apiKeyId")
    return key_id if key_id and not group_faults(key_id, "") else None
