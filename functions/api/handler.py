"""The API's entry: everything that outlives a request is made here, once for each Lambda environment."""

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
    """Answer one request of API Gateway (REST API, proxy integration)."""
    return _app.resolve(event, context)
