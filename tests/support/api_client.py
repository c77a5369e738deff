"""Call the API with events of API Gateway, and read its proxy responses."""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from domain.clock import now
from functions.api.routes import create_app
from functions.api.wiring import services
from runtimes.registry import RUNTIME_TYPES, RuntimeTypes
from tests.support.deployment import CHECKPOINT, DYNAMIC, Deployment

API_KEY = "the-key-itself-which-nobody-may-log"


@dataclass(frozen=True)
class Answer:
    """A response; `body` is its parsed JSON."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        """Return the error code."""
        return str(self.body["error"]["code"])

    @property
    def faults(self) -> list[str]:
        """Return the pointers of all errors."""
        return [fault["path"] for fault in self.body["error"]["details"]]


class Client:
    """Calls the API's resolver; can be used from several threads, because each call has its own resolver."""

    def __init__(
        self,
        deployment: Deployment,
        clock: Callable[[], datetime] = now,
        types: RuntimeTypes = RUNTIME_TYPES,
        **clients: Any,
    ) -> None:
        default_clients: dict[str, Any] = {
            "dynamodb": deployment.dynamodb,
            "s3": deployment.s3,
            "sns": deployment.sns,
            "sqs": deployment.sqs,
        }
        self._services = services(
            deployment.environment, clock=clock, types=types, **(default_clients | clients)
        )

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str | None = "application/json",
        as_base64: bool = False,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request. A body that is neither text nor bytes is sent as JSON, bytes as base64."""
        text = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        as_base64 = as_base64 or isinstance(text, bytes)
        if as_base64 and text is not None:
            raw = text if isinstance(text, bytes) else text.encode()
            text = base64.b64encode(raw).decode()
        sent_headers = {"Host": "abc.execute-api.us-east-1.amazonaws.com", "x-api-key": API_KEY} | (
            headers or {}
        )
        if content_type is not None:
            sent_headers["Content-Type"] = content_type
        event = {
            "resource": path,
            "path": path,
            "httpMethod": method,
            "headers": sent_headers,
            "multiValueHeaders": {name: [value] for name, value in sent_headers.items()},
            "queryStringParameters": query,
            "multiValueQueryStringParameters": {name: [v] for name, v in query.items()} if query else None,
            "pathParameters": None,
            "stageVariables": None,
            "requestContext": {
                "requestId": f"request-{secrets.token_hex(4)}",
                "domainName": "abc.execute-api.us-east-1.amazonaws.com",
                "path": f"/prod{path}",
                "stage": "prod",
                "httpMethod": method,
                "identity": {"apiKey": API_KEY, "apiKeyId": "key-id", "sourceIp": "127.0.0.1"},
            },
            "body": text,
            "isBase64Encoded": as_base64,
        }
        context: Any = SimpleNamespace(aws_request_id=secrets.token_hex(8), function_name="api")
        answer = create_app(self._services).resolve(event, context)
        received = {name: values[0] for name, values in answer["multiValueHeaders"].items()}
        return Answer(answer["statusCode"], json.loads(answer["body"]) if answer["body"] else None, received)

    def submit(self, task_id: str = "test", **changes: Any) -> Answer:
        """Submit a valid v1alpha2 task; keywords change its metadata, `content` its content."""
        return self("POST", "/v1alpha2", task(task_id, **changes))


def task(task_id: str = "test", *, content: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """Return a valid v1alpha2 request."""
    defaults = {"id": task_id, "runtime": DYNAMIC, "tasktype": "text-to-image", "prefix": "output"}
    return {
        "task": {
            "metadata": defaults | metadata,
            "content": content if content is not None else {"prompt": "a cat", "steps": 16},
        },
    }


def guidance_v1alpha1(task_id: str = "test-i2i") -> dict[str, Any]:
    """Return the v1alpha1 request in the manual of AWS's Guidance."""
    return {
        "alwayson_scripts": {
            "task": "image-to-image",
            "image_link": "https://example.org/cat.png",
            "id_task": task_id,
            "sd_model_checkpoint": CHECKPOINT,
        },
        "prompt": "cat wizard",
        "steps": 16,
        "width": 512,
        "height": 512,
    }
