"""A model bucket on the emulator, a volume, and the real parts between them."""

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
    """An AUTOMATIC1111 that lists no model."""

    def __init__(self) -> None:
        self.lists: dict[str, Any] = {}

    def get(self, path: str) -> Any:
        """Answer with what a test put there, else with an empty list or as a route that does not exist."""
        if path in self.lists or path.endswith(("/sd-models", "/loras", "/sd-vae", "/upscalers")):
            return self.lists.get(path, [])
        raise RetryableError(ErrorCode.ENGINE_UNAVAILABLE, "404", response={"detail": "Not Found"})

    def post(self, path: str, body: Any, *, seconds: float = 0) -> Any:
        """Take whatever comes."""


@dataclass
class CountingTransfer:
    """Fetch for real, and count."""

    inner: Transfer
    fetched: list[str] = field(default_factory=list)
    after: Callable[[Path], None] = lambda _: None
    """What happens to a file that has just arrived."""

    def fetch(self, bucket: str, key: str, to: Path, **more: Any) -> None:
        """Fetch as the inner one does."""
        self.fetched.append(key)
        self.inner.fetch(bucket, key, to, **more)
        self.after(to)


@dataclass
class Shelf:
    """Everything a test holds in its hands."""

    s3: Any
    bucket: str
    root: Path
    webui: FakeWebUi
    transfer: CountingTransfer
    now: float = 0.0

    def put(self, key: str, content: bytes = b"weights") -> None:
        """Put a model into the bucket."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    def store(
        self,
        *,
        budget: int | None = None,
        transfer: Transfer | None = None,
        lists: EngineModelLists | None = None,
    ) -> ModelStore:
        """Make another consumer's store on the same volume."""
        volume = Volume(self.root, budget_bytes=budget)
        bucket = ModelBucket(self.s3, self.bucket, clock=lambda: self.now)
        fetcher = Fetcher(bucket, volume, transfer or self.transfer, stop=threading.Event())
        return ModelStore(ModelResolver(bucket, volume, lists or EngineModelLists(self.webui)), fetcher)

    def files(self) -> list[str]:
        """Return all that Web UI could see below its folders, and what is being fetched."""
        every = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())
        return sorted(
            name for name in every if not name.startswith((".sd-on-ecs/locks", ".sd-on-ecs/records"))
        )


@pytest.fixture(scope="session")
def classic(aws: Emulator) -> Transfer:
    """Fetch by boto3's threads: the emulator is quicker with them."""
    return S3Transfer(aws.client("s3"))


@pytest.fixture
def shelf(aws: Emulator, classic: Transfer, tmp_path: Path) -> Iterator[Shelf]:
    """Make an empty bucket and an empty volume."""
    s3 = aws.client("s3")
    bucket = f"models-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)
    root = tmp_path / "models"
    for folder in (CKPT, "Lora", "VAE"):
        (root / folder).mkdir(parents=True)
    yield Shelf(s3, bucket, root, FakeWebUi(), CountingTransfer(classic))
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    s3.delete_bucket(Bucket=bucket)


def checkpoint(name: str, **more: Any) -> dict[str, Any]:
    """Return a content that names a checkpoint."""
    return {"prompt": "a cat", "alwayson_scripts": {"sd_model_checkpoint": name}, **more}
