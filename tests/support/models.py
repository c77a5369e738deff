"""A model bucket on the emulator, a volume, and a fake Web UI, with the real model store between them."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists
from container.consumer.engines.sdwebui.models.resolver import ModelResolver
from container.consumer.engines.sdwebui.models.store import ModelStore
from container.consumer.model_store.bucket import ModelBucket
from container.consumer.model_store.fetcher import Fetcher
from container.consumer.model_store.transfer import S3Transfer, Transfer
from container.consumer.model_store.volume import Volume
from domain.errors import ErrorCode, RetryableError
from local.emulator import Emulator

CKPT = "Stable-diffusion"


class FakeWebUi:
    """An AUTOMATIC1111 that lists no models, unless a test sets `lists`."""

    def __init__(self) -> None:
        self.lists: dict[str, Any] = {}

    def get(self, path: str) -> Any:
        """Return the list that a test has set, an empty list, or the error for a missing route."""
        if path in self.lists or path.endswith(("/sd-models", "/loras", "/sd-vae", "/upscalers")):
            return self.lists.get(path, [])
        raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, "404", response={"detail": "Not Found"})

    def post(self, path: str, body: Any, *, seconds: float = 0) -> Any:
        """Accept any request."""


@dataclass
class CountingTransfer:
    """A transfer that records its downloads."""

    inner: Transfer
    fetched: list[str] = field(default_factory=list)
    after: Callable[[Path], None] = lambda _: None
    """Called with each file that has just been downloaded."""

    def fetch(self, bucket: str, key: str, to: Path, **options: Any) -> None:
        """Download an object and record it."""
        self.fetched.append(key)
        self.inner.fetch(bucket, key, to, **options)
        self.after(to)


@dataclass
class ModelSetup:
    """A model bucket, a volume and a fake Web UI."""

    s3: Any
    bucket: str
    root: Path
    webui: FakeWebUi
    transfer: CountingTransfer
    now: float = 0.0

    def put(self, key: str, content: bytes = b"weights") -> None:
        """Upload a model to the bucket."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    def store(
        self,
        *,
        budget: int | None = None,
        transfer: Transfer | None = None,
        lists: EngineModelLists | None = None,
    ) -> ModelStore:
        """Return the model store of another consumer on the same volume."""
        volume = Volume(self.root, budget_bytes=budget)
        bucket = ModelBucket(self.s3, self.bucket, clock=lambda: self.now)
        fetcher = Fetcher(bucket, volume, transfer or self.transfer, stop=threading.Event())
        return ModelStore(ModelResolver(bucket, volume, lists or EngineModelLists(self.webui)), fetcher)

    def files(self) -> list[str]:
        """Return the files on the volume, including incomplete downloads."""
        names = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())
        return sorted(
            name for name in names if not name.startswith((".sd-on-ecs/locks", ".sd-on-ecs/records"))
        )


@pytest.fixture(scope="session")
def classic(aws: Emulator) -> Transfer:
    """Return a transfer with boto3's threads, which is faster with the emulator than the CRT."""
    return S3Transfer(aws.client("s3"))


@pytest.fixture
def model_setup(aws: Emulator, classic: Transfer, tmp_path: Path) -> Iterator[ModelSetup]:
    """Create an empty bucket and an empty volume."""
    s3 = aws.client("s3")
    bucket = f"models-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)
    root = tmp_path / "models"
    for folder in (CKPT, "Lora", "VAE"):
        (root / folder).mkdir(parents=True)
    yield ModelSetup(s3, bucket, root, FakeWebUi(), CountingTransfer(classic))
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    s3.delete_bucket(Bucket=bucket)


def checkpoint(name: str, **fields: Any) -> dict[str, Any]:
    """Return a content that names a checkpoint."""
    return {"prompt": "a cat", "alwayson_scripts": {"sd_model_checkpoint": name}, **fields}
