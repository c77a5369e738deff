"""Composition of the ComfyUI engine from the consumer's settings."""

from pathlib import Path
from typing import Any, Final

from container.consumer.engines.comfyui.client import ComfyUi
from container.consumer.engines.comfyui.engine import ComfyUiEngine
from container.consumer.engines.comfyui.folders import Folders
from container.consumer.engines.comfyui.models import Models
from container.consumer.inputs.credentials import HostCredentials
from container.consumer.inputs.fetch import Links
from container.consumer.inputs.limits import Limits as FetchLimits
from container.consumer.inputs.task_inputs import TaskInputs
from container.consumer.model_store.connect import connect
from container.consumer.settings import Settings
from runtimes.comfyui.needs import ALIASES
from runtimes.comfyui.runtime_type import ComfyUi as Rules

FILES_OPTION: Final = "files_dir"
"""The option with the folder that holds ComfyUI's `input`, `output` and `temp`, shared with the worker."""


def build_comfyui(settings: Settings, s3: Any, secrets: Any = None) -> ComfyUiEngine:
    """Create the engine for the ComfyUI at `engine_url`."""
    server = ComfyUi(settings.engine_url)
    limits = FetchLimits(media_bytes=settings.limits.media_bytes)
    links = Links(
        s3_client=s3,
        buckets=settings.readable_buckets,
        allow_private=settings.allow_private_inputs,
        credentials=HostCredentials(secrets, settings.input_credentials),
        limits=limits,
    )
    bucket, fetcher = connect(settings) if settings.model_bucket else (None, None)
    files = settings.runtime_options.get(FILES_OPTION)
    return ComfyUiEngine(
        server,
        Models(server, bucket, fetcher, ALIASES),
        TaskInputs(links, settings.limits, inline=limits),
        rules=Rules(),
        runtime=settings.runtime,
        folders=Folders(Path(files) if files else None),
        timeout_seconds=settings.inference_timeout_seconds,
    )
