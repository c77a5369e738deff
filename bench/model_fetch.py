"""Measure how fast a model is downloaded to the volume: `python -m bench.model_fetch [--megabytes N]`.

It compares, in one run and on the same object and disk: a plain HTTP download over one connection, boto3's
`download_file`, and the consumer's fetch with boto3's threads and with the CRT. The consumer's fetch also
checks size and checksum, syncs to disk and renames. The emulator is Python on the same cores, so the ratios
show the cost of the checks and not the speed of S3. To measure S3 on an instance, set MODEL_BUCKET, MODEL_KEY
and AWS's own variables.
"""

import os
import shutil
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import typer

from container.consumer.model_store.bucket import ModelBucket
from container.consumer.model_store.fetcher import Fetcher
from container.consumer.model_store.transfer import S3Transfer
from container.consumer.model_store.volume import Volume
from local.emulator import run_emulator

MEGABYTES = 256
ROUNDS = 3
FOLDER, NAME = "Stable-diffusion", "bench.ckpt"


def main(megabytes: int = MEGABYTES) -> None:
    """Measure with the object that the environment names, or with one on the emulator."""
    if bucket := os.environ.get("MODEL_BUCKET"):
        folder, _, name = os.environ["MODEL_KEY"].partition("/")
        session = boto3.Session()
        measure(session.client("s3"), session.get_credentials(), bucket, folder, name)
        return
    with run_emulator() as aws:
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="models")
        s3.put_object(Bucket="models", Key=f"{FOLDER}/{NAME}", Body=os.urandom(1_000_000) * megabytes)
        measure(s3, aws.credentials, "models", FOLDER, NAME)


def measure(s3: Any, credentials: Any, bucket: str, folder: str, name: str) -> None:
    """Download the object with each method in turn; print median rates, also relative to the first one."""
    key = f"{folder}/{name}"
    size = s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    transfers = {"threads": S3Transfer(s3), "the CRT": S3Transfer(s3, credentials=credentials)}
    methods: dict[str, Callable[[Path], object]] = {
        "plain HTTP, one connection": lambda to: download_plain(url, to),
        "boto3's download_file": lambda to: s3.download_file(bucket, key, str(to / "part")),
    }
    for title, transfer in transfers.items():
        methods[f"the consumer's fetch, with {title}"] = partial(
            fetch, ModelBucket(s3, bucket), transfer, key
        )
    rates: dict[str, list[float]] = {title: [] for title in methods}
    for _ in range(ROUNDS):
        for title, method in methods.items():
            with tempfile.TemporaryDirectory(dir=os.environ.get("MODEL_DIR")) as directory:
                started_at = time.perf_counter()
                method(Path(directory))
                rates[title].append(size / 1e6 / (time.perf_counter() - started_at))
    print(f"{size / 1e6:.0f} MB, median of {ROUNDS} rounds")
    first = statistics.median(next(iter(rates.values())))
    for title, rounds in rates.items():
        rate = statistics.median(rounds)
        print(f"{title:<40} {rate:7.0f} MB/s   {rate / first:5.2f} × plain")


def download_plain(url: str, to: Path) -> None:
    """Download over a single HTTP connection."""
    with urllib.request.urlopen(url) as answer, (to / "part").open("wb") as file:
        shutil.copyfileobj(answer, file, 1 << 20)


def fetch(models: ModelBucket, transfer: S3Transfer, key: str, to: Path) -> None:
    """Download as the consumer does: look it up, download it to a temporary place, check, sync and rename."""
    folder, _, name = key.partition("/")
    fetcher = Fetcher(models, Volume(to), transfer, stop=threading.Event())
    assert fetcher.ensure(models.files(folder)[name])


if __name__ == "__main__":
    typer.run(main)
