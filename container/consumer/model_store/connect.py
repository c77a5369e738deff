"""Create the model bucket and the volume from the settings."""

import logging
import threading
from pathlib import Path

import boto3
from botocore.config import Config

from container.consumer.model_store.bucket import ModelBucket
from container.consumer.model_store.fetcher import Fetcher
from container.consumer.model_store.settings import ModelSettings
from container.consumer.model_store.transfer import CLASSIC_THREADS, S3Transfer
from container.consumer.model_store.volume import Volume

_log = logging.getLogger(__name__)

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=CLASSIC_THREADS,
)


class BadModelDir(ValueError):
    """The volume cannot be written to."""


def connect(settings: ModelSettings) -> tuple[ModelBucket, Fetcher]:
    """Return the bucket, and the fetcher from it to the volume; raise BadModelDir."""
    session = boto3.Session()
    s3 = session.client("s3", config=_CONFIG)
    bucket = ModelBucket(s3, settings.model_bucket, lookup_seconds=settings.model_lookup_seconds)
    try:
        volume = Volume(Path(settings.model_dir), budget_bytes=settings.model_cache_bytes or None)
    except OSError as error:
        raise BadModelDir(f"MODEL_DIR: {error.strerror}: {settings.model_dir}") from None
    transfer = S3Transfer(s3, credentials=session.get_credentials())
    _log.info("models are downloaded by %s", "the CRT" if transfer.uses_crt else "boto3's threads")
    return bucket, Fetcher(bucket, volume, transfer, stop=threading.Event())
