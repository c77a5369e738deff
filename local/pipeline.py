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
from local.callbacks import Callback, Callbacks, collect_callbacks
from local.deploy import CONFIG, Deployment, deploy_from_scratch
from local.emulator import Emulator, run_emulator
from local.process import ProcessFailed
from local.worker import Worker, run_worker

CALL_SECONDS = 40.0  # API Gateway times out after 29
CALLBACK_SECONDS = 60.0
START_SECONDS = 60.0  # a consumer takes 1 to 2
STARTED_LINE = "consumer started"  # the first line that a consumer logs


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
        """Start one more worker of a runtime; for the options see `local.worker.run_worker`."""
        new_worker = self._cleanup.enter_context(
            run_worker(self.aws, self.deployment, self.deployment.runtime(runtime), **options)
        )
        self.workers.append(new_worker)
        return new_worker

    def wait_until_ready(self) -> None:
        """Wait until every consumer has started; raise `ProcessFailed` if one does not."""
        for worker in self.workers:
            worker.consumer.wait_for_line(STARTED_LINE, timeout=START_SECONDS)

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Call the API as a client does, with the API key unless it is among the headers."""
        all_headers = {
            "x-api-key": self.deployment.api_key,
            "content-type": "application/json",
            **(headers or {}),
        }
        return self._http.request(
            method, f"{self.deployment.api_url}{path}", headers=all_headers, content=content
        )

    def submit(self, body: Any, version: str = "v1alpha2") -> httpx.Response:
        """Submit a task."""
        return self.call("POST", f"/{version}", content=json.dumps(body).encode())

    def wait_for_callback(self, task_id: str, *, timeout: float = CALLBACK_SECONDS) -> dict[str, Any]:
        """Wait for a task's final callback and return its body, or raise TimeoutError."""
        try:
            return self.callbacks.wait_for(task_id, timeout=timeout, check=self.check_processes).body
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n  row: {self.row(task_id)}\n{self.recent_output()}") from error

    def check_processes(self) -> None:
        """Raise `ProcessFailed` if a process of the pipeline has ended."""
        for process in (self.aws.process, *(worker.consumer for worker in self.workers)):
            if process.returncode is not None:
                raise ProcessFailed(
                    f"{process.name}: ended with status {process.returncode}\n{process.tail()}"
                )

    def recent_output(self) -> str:
        """Return the end of the output of every process."""
        return "\n".join(
            process.tail(12) for process in (*(worker.consumer for worker in self.workers), self.aws.process)
        )

    def row(self, task_id: str) -> dict[str, Any] | None:
        """Return the attributes of a task's row in the task table, or None without a row."""
        table = self.deployment.outputs["TaskTable"]
        response = self._dynamodb.get_item(TableName=table, Key={"id": {"S": task_id}}, ConsistentRead=True)
        if "Item" not in response:
            return None
        to_python = TypeDeserializer().deserialize
        return {name: to_python(value) for name, value in response["Item"].items()}

    def objects(self, prefix: str) -> list[str]:
        """Return the sorted keys in the output bucket that begin with `prefix`."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.output_bucket, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def download(self, link: str) -> bytes:
        """Download the object at an `s3://` link."""
        bucket, _, key = link.removeprefix("s3://").partition("/")
        content: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def upload(self, key: str, content: bytes) -> str:
        """Store an input in the upload bucket and return its `s3://` link."""
        bucket = self.deployment.outputs["UploadBucket"]
        self._s3.put_object(Bucket=bucket, Key=key, Body=content)
        return f"s3://{bucket}/{key}"


def runtimes_with_workers(
    deployed: Iterable[Runtime], names: Iterable[str] | None, engine_urls: Mapping[str, str]
) -> list[Runtime]:
    """Return the runtimes that get a worker: those with these names, by default all.

    A real engine has one GPU, so only the first runtime of its type uses it.
    """
    chosen_names = None if names is None else set(names)
    chosen: list[Runtime] = []
    for runtime in deployed:
        is_chosen = chosen_names is None or runtime.name in chosen_names
        is_engine_in_use = runtime.type in engine_urls and any(each.type == runtime.type for each in chosen)
        if is_chosen and not is_engine_in_use:
            chosen.append(runtime)
    return chosen


@contextmanager
def run_pipeline(
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
    """Run the emulator, the core stack, and a worker for each runtime inside a `with` block.

    `runtimes` names the runtimes that get a worker (by default all, none for an empty list), `engine_urls`
    has the addresses of real engines by runtime type, `environment` overrides the consumers' settings, and
    `assembly` is an app that was synthesized before. `on_line` is called with each line that a consumer
    prints (runtime, line), `on_step` with a description of the next step, and `on_callback` with each
    callback.
    """
    with ExitStack() as cleanup:
        on_step("starting the AWS emulator (ministack)")
        aws = cleanup.enter_context(run_emulator())
        on_step("deploying the core stack with the CDK")
        deployment = deploy_from_scratch(aws, config=config, assembly=assembly)
        topic = deployment.outputs["sdNotificationOutputArn"]
        callbacks = cleanup.enter_context(collect_callbacks(aws, topic, on_callback=on_callback))
        pipeline = Pipeline(aws, deployment, callbacks, cleanup)
        for runtime in runtimes_with_workers(deployment.runtimes, runtimes, engine_urls):
            url = engine_urls.get(runtime.type)
            engine = "and a fake engine" if url is None else f"for the engine at {url}"
            on_step(f"starting the consumer of {runtime.name} {engine}")
            pipeline.start_worker(runtime.name, environment=environment, engine_url=url, on_line=on_line)
        pipeline.wait_until_ready()
        yield pipeline
