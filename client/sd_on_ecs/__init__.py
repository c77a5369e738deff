"""Submit tasks to a deployment of sd-on-ecs, wait for them, and download their images."""

from sd_on_ecs._async.client import AsyncClient
from sd_on_ecs._sync.client import Client
from sd_on_ecs.api_types import Fault, ListedTask, Model, Runtime, RuntimeDetails, Task, TaskOptions
from sd_on_ecs.bodies import image_to_image, text_to_image, upscale, workflow
from sd_on_ecs.errors import (
    ApiError,
    ClientError,
    Conflict,
    InputError,
    InvalidWebhook,
    KeyRefused,
    NotConfigured,
    NotFound,
    ServiceFailed,
    TaskFailed,
    Unreachable,
    WaitTimeout,
)
from sd_on_ecs.retrying import Retries
from sd_on_ecs.version import __version__
from sd_on_ecs.webhooks import verify_webhook

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "ClientError",
    "Conflict",
    "Fault",
    "InputError",
    "InvalidWebhook",
    "KeyRefused",
    "ListedTask",
    "Model",
    "NotConfigured",
    "NotFound",
    "Retries",
    "Runtime",
    "RuntimeDetails",
    "ServiceFailed",
    "Task",
    "TaskFailed",
    "TaskOptions",
    "Unreachable",
    "WaitTimeout",
    "__version__",
    "image_to_image",
    "text_to_image",
    "upscale",
    "verify_webhook",
    "workflow",
]
