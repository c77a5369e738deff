"""Error responses of API Gateway itself, in the JSON shape of the API."""

import json
from typing import Final

from aws_cdk import aws_apigateway as apigateway

_ResponseType = apigateway.ResponseType

# The kind of error, its code, its status and its message; None keeps API Gateway's own status.
_RESPONSES: Final = (
    (
        _ResponseType.INVALID_API_KEY,
        "forbidden",
        "403",
        "The header x-api-key is missing, or the key is unknown.",
    ),
    (
        _ResponseType.THROTTLED,
        "too_many_requests",
        "429",
        "There are more requests than the usage plan allows; try again shortly.",
    ),
    (_ResponseType.QUOTA_EXCEEDED, "too_many_requests", "429", "The quota of the usage plan is used up."),
    (
        _ResponseType.REQUEST_TOO_LARGE,
        "too_large",
        "413",
        # Lambda's limit, which counts the body as a JSON string: each quote and backslash twice.
        "The request is larger than the 6 MB that Lambda takes; send images as links or uploads.",
    ),
    # API Gateway responds "Missing Authentication Token" to every path and method that does not exist.
    (_ResponseType.MISSING_AUTHENTICATION_TOKEN, "not_found", "404", "There is no such path or method."),
    (_ResponseType.DEFAULT_4_XX, "bad_request", None, "API Gateway refused the request."),
    (_ResponseType.DEFAULT_5_XX, "internal_error", None, "The request failed."),
)


def add_gateway_responses(api: apigateway.RestApi) -> None:
    """Give errors that do not come from our Lambda the JSON shape of the API."""
    for response_type, code, status, message in _RESPONSES:
        error = {"code": code, "message": message, "details": [], "request_id": "$context.requestId"}
        api.add_gateway_response(
            response_type.response_type,
            type=response_type,
            status_code=status,
            templates={"application/json": json.dumps({"error": error})},
        )
