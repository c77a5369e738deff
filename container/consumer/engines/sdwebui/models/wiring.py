"""The parts of models put together from their settings."""

import threading
from pathlib import Path

import boto3
from botocore.config import Config

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, WebUiApi
from container.consumer.engines.sdwebui.models.resolver import ModelResolver
from container.consumer.engines.sdwebui.models.store import ModelStore
from container.consumer.engines.sdwebui.models.switch import Models
from container.consumer.model_store.bucket import ModelBucket
from container.consumer.model_store.fetcher import Fetcher
from container.consumer.model_store.settings import ModelSettings
from container.consumer.model_store.sync import Sync
from container.consumer.model_store.transfer import CLASSIC_THREADS, S3Transfer
from container.consumer.model_store.volume import Volume

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=CLASSIC_THREADS,
)


class BadModelDir(ValueError):
    """Say that the volume cannot be written to."""


def wire_models(settings: ModelSettings, webui: WebUiApi, *, dynamic: bool) -> Models:
    """Build what the worker needs. Without a bucket nothing is fetched."""
    lists = EngineModelLists(webui)
    if settings.model_bucket:
        bucket, fetcher = _fetching(settings)
        store = ModelStore(ModelResolver(bucket, fetcher.volume, lists), fetcher)
    else:
        store = ModelStore(ModelResolver(None, None, lists), None)
    return Models(
        store,
        webui,
        own=settings.model_filename,
        dynamic=dynamic,
        in_memory=settings.checkpoints_in_memory,
    )


def wire_sync(settings: ModelSettings) -> Sync:
    """Build what `sync-models` needs."""
    return Sync(*_fetching(settings))


def _fetching(settings: ModelSettings) -> tuple[ModelBucket, Fetcher]:
    s3 = boto3.client("s3", config=_CONFIG)
    bucket = ModelBucket(s3, settings.model_bucket, lookup_seconds=settings.model_lookup_seconds)
    try:
        volume = Volume(Path(settings.model_dir), budget_bytes=settings.model_cache_bytes or None)
    except OSError as error:
        raise BadModelDir(f"MODEL_DIR: {error.strerror}: {settings.model_dir}") from None
    return bucket, Fetcher(bucket, volume, S3Transfer(s3), stop=threading.Event())
