"""Run the whole pipeline on this machine, from the API to the callback."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from boto3.dynamodb.types import TypeDeserializer

from domain.routing import Runtime
from local.callbacks import Callback, Callbacks, collected
from local.deploy import CONFIG, Deployment, deploy_from_scratch
from local.emulator import Emulator, emulator
from local.process import ProcessFailed
from local.worker import Worker, worker

CALL_SECONDS = 40.0  # API Gateway times out after 29
OUTCOME_SECONDS = 60.0
START_SECONDS = 60.0  # a consumer takes 1 to 2
STARTED = "consumer started"  # the first line that a consumer logs


class Pipeline:
    """A running pipeline: submit tasks by HTTP, wait for callbacks, inspect what was stored."""

    def __init__(
        self, aws: Emulator, deployment: Deployment, callbacks: Callbacks, cleanup: ExitStack
    ) -> None:
        self.aws = aws
        self.deployment = deployment
        self.callbacks = callbacks
        self.workers: list[Worker] = []
        self._cleanup = cleanup
        self._http = cleanup.enter_context(httpx.Client(timeout=CALL_SECONDS, trust_env=False))
        self._s3 = aws.client("s3")
        self._dynamodb = aws.client("dynamodb")

    @property
    def output_bucket(self) -> str:
        """The bucket that images are stored in."""
        return self.deployment.outputs["OutputS3Bucket"]

    def start_worker(self, runtime: str, **options: Any) -> Worker:
        """Start one more worker of a runtime; for the options see `local.worker.worker`."""
        deployed = self.deployment.runtime(runtime)
        started = self._cleanup.enter_context(worker(self.aws, self.deployment, deployed, **options))
        self.workers.append(started)
        return started

    def wait_until_ready(self) -> None:
        """Wait until every consumer has started; raise `ProcessFailed` if one does not."""
        for each in self.workers:
            each.consumer.wait_for_line(STARTED, timeout=START_SECONDS)

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Call the API as a client does, with the API key unless it is among the headers."""
        sent = {"x-api-key": self.deployment.api_key, "content-type": "application/json", **(headers or {})}
        return self._http.request(method, f"{self.deployment.api_url}{path}", headers=sent, content=content)

    def submit(self, body: Any, version: str = "v1alpha2") -> httpx.Response:
        """Submit a task."""
        return self.call("POST", f"/{version}", content=json.dumps(body).encode())

    def outcome(self, task_id: str, *, timeout: float = OUTCOME_SECONDS) -> dict[str, Any]:
        """Wait for the final callback of a task; without one, raise an error with all output."""
        try:
            return self.callbacks.wait_for(task_id, timeout=timeout, check=self.check).body
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n  row: {self.row(task_id)}\n{self.tails()}") from error

    def check(self) -> None:
        """Raise `ProcessFailed` if a process of the pipeline has ended."""
        for process in (self.aws.process, *(each.consumer for each in self.workers)):
            if process.returncode is not None:
                raise ProcessFailed(
                    f"{process.name}: ended with status {process.returncode}\n{process.tail()}"
                )

    def tails(self) -> str:
        """Return the end of the output of every process."""
        return "\n".join(
            process.tail(12) for process in (*(each.consumer for each in self.workers), self.aws.process)
        )

    def row(self, task_id: str) -> dict[str, Any] | None:
        """Return a task's row in plain values, or None."""
        table = self.deployment.outputs["TaskTable"]
        answer = self._dynamodb.get_item(TableName=table, Key={"id": {"S": task_id}}, ConsistentRead=True)
        if "Item" not in answer:
            return None
        read = TypeDeserializer().deserialize
        return {name: read(value) for name, value in answer["Item"].items()}

    def objects(self, prefix: str) -> list[str]:
        """Return the sorted keys in the output bucket that begin with `prefix`."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.output_bucket, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def read(self, link: str) -> bytes:
        """Download the object at an `s3://` link."""
        bucket, _, key = link.removeprefix("s3://").partition("/")
        content: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def upload(self, key: str, content: bytes) -> str:
        """Store an input in the upload bucket and return its `s3://` link."""
        bucket = self.deployment.outputs["UploadBucket"]
        self._s3.put_object(Bucket=bucket, Key=key, Body=content)
        return f"s3://{bucket}/{key}"


def with_workers(
    deployed: Iterable[Runtime], named: Iterable[str] | None, engine_urls: Mapping[str, str]
) -> list[Runtime]:
    """Return the runtimes that get a worker: those that are named, by default all.

    A real engine has one GPU, so only the first runtime of its type uses it.
    """
    wanted = None if named is None else set(named)
    chosen: list[Runtime] = []
    for one in deployed:
        taken = one.type in engine_urls and any(other.type == one.type for other in chosen)
        if (wanted is None or one.name in wanted) and not taken:
            chosen.append(one)
    return chosen


@contextmanager
def pipeline(
    *,
    config: Path = CONFIG,
    assembly: Path | None = None,
    runtimes: Iterable[str] | None = None,
    environment: Mapping[str, str] | None = None,
    engine_urls: Mapping[str, str] = MappingProxyType({}),
    on_line: Callable[[str, str], None] | None = None,
    on_step: Callable[[str], None] = lambda _step: None,
    on_callback: Callable[[Callback], None] = lambda _callback: None,
) -> Iterator[Pipeline]:
    """Run the emulator, the core stack, and a worker for each runtime; stop everything at the end.

    `runtimes` are the runtimes that get a worker (by default all, none for an empty list), `engine_urls` are
    real engines by the type of the runtimes that use them, and `assembly` is an app that was synthesized
    before. `on_line` is called with each line that a consumer prints (runtime, line), `on_step` with a
    description of the next step, and `on_callback` with each callback.
    """
    with ExitStack() as cleanup:
        on_step("starting the AWS emulator (ministack)")
        aws = cleanup.enter_context(emulator())
        on_step("deploying the core stack with the CDK")
        deployment = deploy_from_scratch(aws, config=config, assembly=assembly)
        topic = deployment.outputs["sdNotificationOutputArn"]
        callbacks = cleanup.enter_context(collected(aws, topic, on_callback=on_callback))
        running = Pipeline(aws, deployment, callbacks, cleanup)
        for one in with_workers(deployment.runtimes, runtimes, engine_urls):
            url = engine_urls.get(one.type)
            engine = "and a fake engine" if url is None else f"for the engine at {url}"
            on_step(f"starting the consumer of {one.name} {engine}")
            running.start_worker(one.name, environment=environment, engine_url=url, on_line=on_line)
        running.wait_until_ready()
        yield running
