"""Error responses of API Gateway itself, in the JSON shape of the API."""

import json
from typing import Final

from aws_cdk import aws_apigateway as apigateway

_Type = apigateway.ResponseType

# The kind of error, its code, its status and its message; None keeps API Gateway's own status.
_RESPONSES: Final = (
    (
        _Type.INVALID_API_KEY,
        "forbidden",
        "403",
        "The header x-api-key is missing, or the key is unknown.",
    ),
    (
        _Type.THROTTLED,
        "too_many_requests",
        "429",
        "There are more requests than the usage plan allows; try again shortly.",
    ),
    (_Type.QUOTA_EXCEEDED, "too_many_requests", "429", "The quota of the usage plan is used up."),
    (
        _Type.REQUEST_TOO_LARGE,
        "too_large",
        "413",
        # Lambda's limit, which counts the body as a JSON string: each quote and backslash twice.
        "The request is larger than the 6 MB that Lambda takes; send images as links or uploads.",
    ),
    # API Gateway responds "Missing Authentication Token" to every path and method that does not exist.
    (_Type.MISSING_AUTHENTICATION_TOKEN, "not_found", "404", "There is no such path or method."),
    (_Type.DEFAULT_4_XX, "bad_request", None, "API Gateway refused the request."),
    (_Type.DEFAULT_5_XX, "internal_error", None, "The request failed."),
)


def add_gateway_responses(api: apigateway.RestApi) -> None:
    """Give errors that do not come from our Lambda the JSON shape of the API."""
    for type_, code, status, message in _RESPONSES:
        error = {"code": code, "message": message, "details": [], "request_id": "$context.requestId"}
        api.add_gateway_response(
            type_.response_type,
            type=type_,
            status_code=status,
            templates={"application/json": json.dumps({"error": error})},
        )
