"""Read requests from API Gateway's event."""

import base64
import binascii
from typing import Any

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from domain.body import parse_body
from domain.envelope import check_id, unknown_keys
from domain.errors import ErrorCode, Fault, InvalidTask
from domain.limits import DEFAULT_LIMITS, Limits
from functions.api.links import UPLOAD_TYPES
from functions.api.refusals import bad_parameter, no_task, wrong_media_type


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
        # Half a surrogate pair cannot be encoded; parse_body then reports that the body is not UTF-8.
        return body.encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise InvalidTask(
            "The request is not valid JSON.",
            code=ErrorCode.INVALID_JSON,
            faults=[Fault("", "the body could not be decoded")],
        ) from None


def known_id(task_id: str) -> str:
    """Return the id in a path; raise InvalidTask (404) if it is not a valid id."""
    if check_id(task_id, "id"):
        raise no_task(task_id)
    return task_id


def parameters(event: APIGatewayProxyEvent) -> dict[str, list[str]]:
    """Return the parameters of the query string, each with all of its values."""
    raw = event.raw_event
    if many := raw.get("multiValueQueryStringParameters"):
        return {name: list(values) for name, values in many.items()}
    return {name: [value] for name, value in (raw.get("queryStringParameters") or {}).items()}


def upload_type(event: APIGatewayProxyEvent) -> str | None:
    """Return the content type in the optional body of an upload request; raise InvalidTask (400, 415)."""
    if not event.body:
        return None
    body = json_body(event)
    faults = unknown_keys(body, ["content_type"], "")
    content_type = body.get("content_type")
    if content_type is not None and content_type not in list(UPLOAD_TYPES):
        faults.append(Fault("/content_type", f"one of {', '.join(UPLOAD_TYPES)} is expected"))
    if faults:
        raise bad_parameter(faults)
    return content_type


def base_url(event: APIGatewayProxyEvent) -> str:
    """Return the URL of this API: its own host and stage, or a custom domain and its base path."""
    context = event.raw_event["requestContext"]
    stage = str(context.get("path") or "").removesuffix(event.path)
    if context.get("domainName"):
        return f"https://{context['domainName']}{stage}"
    # The emulator sends no domain name; it serves the stages of an API below a path of its own.
    return f"http://{event.headers.get('host')}/_aws/execute-api/{context.get('apiId')}{stage}"


def request_id(event: APIGatewayProxyEvent) -> str:
    """Return API Gateway's id for this request, which its access log contains too."""
    return str(event.raw_event.get("requestContext", {}).get("requestId") or "unknown")
