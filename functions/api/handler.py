"""Entry point of the API's Lambda; clients and services are created once per Lambda environment."""

import os
from typing import Any

from functions.api.routes import create_app
from functions.api.wiring import services
from functions.clients import client
from functions.environment import ApiEnvironment

_app = create_app(
    services(
        ApiEnvironment.read(os.environ),
        dynamodb=client("dynamodb"),
        sns=client("sns"),
        s3=client("s3"),
        sqs=client("sqs"),
    ),
)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle one request from API Gateway (REST API, proxy integration)."""
    return _app.resolve(event, context)
