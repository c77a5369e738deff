"""A runtime of type `comfyui` with an API, a worker and a fake ComfyUI, and AWS in the emulator."""

import io
import json
import os
import sys
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from domain.routing import Runtime, Runtimes
from domain.row import Row, Status
from domain.worker_environment import WorkerEnvironment
from local.deploy import ROOT
from local.emulator import Emulator
from local.fakes.comfyui import recipe
from local.fakes.comfyui.process import FakeComfyUi, start, write_models
from local.process import Process
from tests.support.api_client import Answer, Client
from tests.support.deployment import DYNAMIC, Deployment, deploy

OUTCOME_SECONDS = 60.0
SETTINGS = {"MODEL_LOOKUP_SECONDS": "0"}
FOLDERS = ("models", "input", "output", "temp")


class ComfyUiSetup:
    """AWS resources, an API, a fake ComfyUI, and the workers that a test starts."""

    def __init__(
        self, aws: Emulator, root: Path, stack: ExitStack, *, allow: Collection[str] = (), **fake: Any
    ) -> None:
        self.aws = aws
        self.root = root
        self._stack = stack
        self._settings = {"step_seconds": 0.02, "load_seconds": 0.02} | fake
        options = {"files_dir": str(root), "allow": sorted(allow)}
        self.runtime = Runtime(DYNAMIC, "comfyui", dynamic_model=True, options=options)
        deployment = deploy(aws)
        described = replace(self.runtime, queue_url=deployment.queue(DYNAMIC)).as_dict()
        runtimes = Runtimes.from_json(json.dumps([described]))
        self.cloud: Deployment = replace(
            deployment, environment=replace(deployment.environment, runtimes=runtimes)
        )
        self.api = Client(self.cloud)
        write_models(root / "models")
        self.fake = self.start_fake()
        self.consumer: Process | None = None

    def start_fake(self, port: int = 0) -> FakeComfyUi:
        folders = {name: self.root / name for name in FOLDERS}
        fake = start(port=port, **self._settings, **folders)
        self._stack.callback(fake.kill)
        return fake

    def start_consumer(self, *, inference_timeout_seconds: float | None = None) -> Process:
        names = self.cloud.environment
        environment = WorkerEnvironment(
            runtime_name=DYNAMIC,
            runtime_type="comfyui",
            runtime_options=self.runtime.options,
            dynamic_model=True,
            engine_url=self.fake.url,
            task_queue_url=self.cloud.queue(DYNAMIC),
            result_topic_arn=names.result_topic_arn,
            output_bucket=names.output_bucket,
            task_table=names.task_table,
            task_bucket=names.task_bucket,
            model_bucket=names.model_bucket,
            model_dir=str(self.root / "models"),
            visibility_seconds=6,
            inference_timeout_seconds=inference_timeout_seconds,
            retry_delay_seconds=0,
            allow_private_inputs=True,
        )
        self.consumer = self._stack.enter_context(
            Process(
                "consumer",
                [sys.executable, "-m", "container.consumer"],
                environment=self.aws.environment(os.environ) | environment.to_environ() | SETTINGS,
                cwd=str(ROOT),
            )
        )
        return self.consumer

    def submit(self, task_id: str, prompt: dict[str, Any], **content: Any) -> Answer:
        metadata = {"id": task_id, "runtime": DYNAMIC, "tasktype": "pipeline", "prefix": "output"}
        body = {"task": {"metadata": metadata, "content": {"prompt": prompt, **content}}}
        return self.api("POST", "/v1alpha2", body)

    def until(self, task_id: str, condition: Callable[[Row], bool] = lambda row: row.notified) -> Row:
        """Poll until the row has a state, for which DynamoDB has no event."""
        deadline = time.monotonic() + OUTCOME_SECONDS
        while not condition(row := self.cloud.row(task_id)):
            assert time.monotonic() < deadline, row
            time.sleep(0.05)
        return row

    def read(self, uri: str) -> bytes:
        bucket, key = uri.removeprefix("s3://").split("/", 1)
        data: bytes = self.cloud.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return data

    def facts(self, row: Row) -> list[dict[str, Any]]:
        assert row.status is Status.COMPLETED, row.item
        recipes = [recipe.read(Image.open(io.BytesIO(self.read(link)))) for link in row.item["images"]]
        assert None not in recipes
        return [recipe for recipe in recipes if recipe]

    def document(self, row: Row) -> dict[str, Any]:
        output_document: dict[str, Any] = json.loads(self.read(str(row.text("output"))))
        return output_document

    def left_behind(self) -> list[str]:
        """Return the files of tasks that are still on the server's disk."""
        return [str(path) for kind in FOLDERS[1:] for path in (self.root / kind).rglob("*.*")]
