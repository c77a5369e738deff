"""Create the SD Web UI engine from the consumer's settings."""

from typing import Any

from container.consumer.engines.sdwebui.client import WebUi
from container.consumer.engines.sdwebui.engine import SdWebUi
from container.consumer.engines.sdwebui.models.composition import compose_models
from container.consumer.engines.sdwebui.styles import BucketStyles
from container.consumer.inputs.credentials import HostCredentials
from container.consumer.inputs.fetch import Links
from container.consumer.inputs.task_inputs import TaskInputs
from container.consumer.settings import Settings


def build_sdwebui(settings: Settings, s3: Any, secrets: Any = None) -> SdWebUi:
    """Create the engine for the SD Web UI at `engine_url`."""
    webui = WebUi(settings.engine_url, inference_timeout_seconds=settings.inference_timeout_seconds)
    links = Links(
        s3_client=s3,
        buckets=settings.readable_buckets,
        allow_private=settings.allow_private_inputs,
        credentials=HostCredentials(secrets, settings.input_credentials),
    )
    return SdWebUi(
        webui,
        compose_models(
            settings, webui, dynamic=settings.dynamic_model, is_same_process=webui.is_same_process
        ),
        TaskInputs(links, settings.limits),
        settings.limits,
        BucketStyles(s3, settings.model_bucket, lookup_seconds=settings.model_lookup_seconds),
        has_checkpoint=not settings.dynamic_model,
    )
