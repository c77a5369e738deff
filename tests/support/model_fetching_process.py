"""A consumer's model store in a separate process.

It is started as `python -m tests.support.model_fetching_process whole|half|use NAME`. It prints `ready`,
waits for a line on stdin, fetches the checkpoint NAME, and prints how many objects it has downloaded. With
`half` it prints `half` when half of the file has arrived, and then hangs. With `use` it uses the model until
another line arrives.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any

import boto3

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists
from container.consumer.engines.sdwebui.models.resolver import ModelResolver
from container.consumer.engines.sdwebui.models.store import ModelStore
from container.consumer.model_store.bucket import ModelBucket
from container.consumer.model_store.fetcher import Fetcher
from container.consumer.model_store.transfer import S3Transfer
from container.consumer.model_store.volume import Volume
from tests.support.models import FakeWebUi, checkpoint


class Counting:
    """A transfer that counts its downloads and can stop half-way."""

    def __init__(self, inner: S3Transfer, *, half: bool) -> None:
        self.inner = inner
        self.half = half
        self.count = 0

    def fetch(self, bucket: str, key: str, to: Path, **options: Any) -> None:
        """Download an object; with `half`, hang after half of it."""
        self.count += 1
        self.inner.fetch(bucket, key, to, **options)
        if self.half:
            os.truncate(to, to.stat().st_size // 2)
            print("half", flush=True)  # the parent waits for it
            threading.Event().wait()


def main() -> None:
    """Run the command."""
    mode, name = sys.argv[1:]
    s3 = boto3.client("s3")
    transfer = Counting(S3Transfer(s3), half=mode == "half")
    volume = Volume(Path(os.environ["MODEL_DIR"]), budget_bytes=int(os.environ["MODEL_CACHE_BYTES"]))
    bucket = ModelBucket(s3, os.environ["MODEL_BUCKET"])
    fetcher = Fetcher(bucket, volume, transfer, stop=threading.Event())
    store = ModelStore(ModelResolver(bucket, volume, EngineModelLists(FakeWebUi())), fetcher)
    print("ready", flush=True)  # the parent waits for it
    sys.stdin.readline()
    (store.activate if mode == "use" else store.ensure)(checkpoint(name))
    print(transfer.count, flush=True)  # the parent reads it
    if mode == "use":
        sys.stdin.readline()


if __name__ == "__main__":
    main()
