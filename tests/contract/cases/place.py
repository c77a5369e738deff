"""Sends the cases to the API's code, with a consumer process for each runtime and a fake of either kind."""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.routing import Runtime, Runtimes
from domain.worker_environment import WorkerEnvironment
from functions.environment import ApiEnvironment
from local.emulator import Emulator, run_emulator
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.controlnet import ControlNet
from local.process import Process
from runtimes.sdwebui.model_names import WILDCARDS_FOLDER, WILDCARDS_SETTING
from tests.contract.cases.models import fill, with_hashes
from tests.contract.cases.packed import bodies
from tests.contract.cases.web import PHOTO, pages, picture
from tests.contract.replay import Replay, quick_settings, replaying
from tests.support.api_client import Answer, Client
from tests.support.deployment import Deployment, clients, make_table, subscribe

STATIC, DYNAMIC = "sdruntime", "sddynamic"
CHECKPOINT, REFINER = "v1-5-pruned-emaonly.safetensors", "sd_xl_refiner_1.0.safetensors"
SCRIPTS = ("animatediff", "adetailer", "reactor", "dynamic prompts v2.17.1")
OPENED = {"interrogate_clip_min_length": 24}
SETTINGS_FILE = "settings.json"
ROOT = Path(__file__).parents[3]
OUTCOME_SECONDS = 60.0
STARTED = "consumer started"


class ManyModules(ControlNet):
    """A ControlNet with the preprocessors of the cases."""

    @property
    def module_names(self) -> list[str]:
        return [*super().module_names, "inpaint_only+lama", "ip-adapter-auto", "depth_hand_refiner"]


@dataclass(frozen=True)
class Outcome:
    """The response to a request, and the callback and `.out` of its task."""

    answer: Answer
    callback: dict[str, Any] | None = None
    out: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """Return `completed`, or the code of the refusal or of the failure."""
        if self.callback is None:
            return self.answer.code
        return str(self.callback["error"]["code"]) if self.callback["error"] else "completed"

    @property
    def error_text(self) -> str:
        """Return every text that the caller gets with a refusal or a failure."""
        if self.callback is None:
            return json.dumps(self.answer.body["error"], ensure_ascii=False)
        return str((self.callback["error"] or {}).get("message"))

    @property
    def faults(self) -> dict[str, str]:
        """Return the faults of a refusal by their pointers into the content."""
        found = self.answer.body["error"]["details"]
        return {one["path"].removeprefix("/task/content"): one["message"] for one in found}

    @property
    def warnings(self) -> dict[str, str]:
        """Return the warnings of submit and worker by their pointers into the content."""
        found = [*self.answer.body.get("warnings", ()), *self.out.get("warnings", ())]
        return {one["path"].removeprefix("/task/content"): one["message"] for one in found}

    @property
    def receipts(self) -> list[dict[str, Any]]:
        """Return the receipts of the pictures."""
        return [one for one in self.out["images"] if one["kind"] == "picture"]


class Place:
    """Sends requests to one kind of SD Web UI and waits for their outcomes."""

    def __init__(self, aws: Emulator, flavor: str, parts: ExitStack, host: str) -> None:
        self.flavor = flavor
        self._aws = aws
        self._parts = parts
        self._host = host
        self._folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        self._deployment = _deploy(aws, flavor)
        self._client = Client(self._deployment)
        self._workers: dict[str, tuple[Replay, Process]] = {}
        self._callbacks: dict[str, dict[str, Any]] = {}
        fill(self._deployment.s3, self._deployment.environment.model_bucket)
        self._deployment.s3.put_object(Bucket=self._uploads, Key="2026-11-25/photo.png", Body=picture(PHOTO))

    def case(self, name: str) -> Outcome:
        """Send the request of a case."""
        return self.request(bodies()[name], name)

    def request(self, text: str, name: str) -> Outcome:
        """Send a body as that of a case: with the hashes, hosts and buckets that are here."""
        body = self._to_this_machine(with_hashes(text).replace("UPLOAD_BUCKET", self._uploads))
        return self.send(body, path="/v1alpha1" if "v1alpha1" in name else "/v1alpha2")

    def content(self, task_id: str, tasktype: str = "text-to-image", **content: Any) -> Outcome:
        """Send a task to the static runtime."""
        known = {"prompt": "a lighthouse at dusk", "steps": 12, "width": 512, "height": 512, "seed": 7}
        metadata = {"id": task_id, "runtime": STATIC, "tasktype": tasktype, "prefix": "output"}
        whole = known | content if "to-image" in tasktype else content
        text = json.dumps({"task": {"metadata": metadata, "content": whole}})
        return self.send(self._to_this_machine(text))

    def send(self, body: str, path: str = "/v1alpha2") -> Outcome:
        """Send a body and wait for the outcome of its task."""
        answer = self._client("POST", path, body)
        if answer.status != 200:
            return Outcome(answer)
        task_id = answer.body["id_task"]
        runtime = self._deployment.row(task_id).text("runtime")
        self._worker(str(runtime))
        callback = self._callback(task_id)
        uri = callback.get("output_url")
        return Outcome(answer, callback, json.loads(self.object(uri)) if uri else {})

    def object(self, uri: str) -> bytes:
        """Return the bytes of an `s3://` address."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        content: bytes = self._deployment.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def image(self, receipt: dict[str, Any]) -> bytes:
        """Return the image that a receipt is for."""
        return self.object(f"s3://{self._deployment.environment.output_bucket}/{receipt['key']}")

    def option(self, name: str) -> Any:
        """Return what an option of the static runtime's SD Web UI is now."""
        webui, _ = self._workers[STATIC]
        return webui.get("/sdapi/v1/options")[name]

    @property
    def _uploads(self) -> str:
        return self._deployment.environment.upload_bucket

    def _to_this_machine(self, body: str) -> str:
        here = f"http://{self._host}"
        return (
            body.replace("https://huggingface.co", here)
            .replace("https://example-bucket.s3.amazonaws.com", here)
            .replace("https://example.com", here)
            .replace("https://drive.google.com", here)
        )

    def _callback(self, task_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + OUTCOME_SECONDS
        while task_id not in self._callbacks:
            tails = "\n".join(process.tail(20) for _, process in self._workers.values())
            assert time.monotonic() < deadline, f"no callback of {task_id}\n{tails}"
            answer = self._deployment.sqs.receive_message(
                QueueUrl=self._deployment.results_queue, MaxNumberOfMessages=10, WaitTimeSeconds=2
            )
            for message in answer.get("Messages", ()):
                callback = json.loads(message["Body"])
                if callback["result"] is not None:
                    self._callbacks[callback["id"]] = callback
                self._deployment.sqs.delete_message(
                    QueueUrl=self._deployment.results_queue, ReceiptHandle=message["ReceiptHandle"]
                )
        return self._callbacks[task_id]

    def _worker(self, runtime: str) -> None:
        if runtime in self._workers:
            return
        folder = self._folder / runtime
        folder.mkdir()
        shutil.copy(ROOT / "container/consumer/engines/sdwebui/image/settings.json", folder / SETTINGS_FILE)
        environment = self._environment(runtime, folder)
        command = [sys.executable, "-m", "container.consumer"]
        with Process("sync-models", [*command, "sync-models"], environment=environment) as sync:
            assert sync.wait(OUTCOME_SECONDS) == 0, sync.tail()
        written = json.loads((folder / SETTINGS_FILE).read_bytes())
        settings = quick_settings(
            flavor=self.flavor, model_dir=folder, checkpoint=None, extra_scripts=SCRIPTS
        )
        webui = self._parts.enter_context(
            replaying(lambda one: Components.make(one, controlnet=ManyModules), settings)
        )
        webui.components.options.saved |= written
        environment["ENGINE_URL"] = webui.url
        consumer = self._parts.enter_context(
            Process("consumer", command, environment=environment, stop_seconds=15)
        )
        consumer.wait_for_line(STARTED, timeout=OUTCOME_SECONDS)
        self._workers[runtime] = webui, consumer

    def _environment(self, runtime: str, folder: Path) -> dict[str, str]:
        api = self._deployment.environment
        known = api.runtimes.named(runtime)
        assert known is not None
        settings = WorkerEnvironment(
            runtime_name=runtime,
            task_queue_url=known.queue_url,
            result_topic_arn=api.result_topic_arn,
            output_bucket=api.output_bucket,
            task_table=api.task_table,
            task_bucket=api.task_bucket,
            input_buckets=(api.upload_bucket,),
            model_bucket=api.model_bucket,
            model_dir=str(folder),
            model_filename=known.model_filename,
            refiner_filename=known.refiner_filename,
            dynamic_model=known.dynamic_model,
            allowed_settings=known.settings,
            engine_settings=OPENED,
            engine_folders={WILDCARDS_SETTING: str(folder / WILDCARDS_FOLDER)},
            engine_settings_file=str(folder / SETTINGS_FILE),
            allow_private_inputs=True,
            retry_delay_seconds=0,
        )
        return self._aws.environment() | settings.to_environ() | {"PYTHONUNBUFFERED": "1"}


@contextmanager
def places(aws: Emulator) -> Iterator[dict[str, Place]]:
    """Run a place of each kind; workers start with the first task for them."""
    with ExitStack() as parts:
        host = parts.enter_context(pages())
        yield {flavor: Place(aws, flavor, parts, host) for flavor in ("forge", "a1111")}


def _deploy(aws: Emulator, flavor: str) -> Deployment:
    name = f"cases-{flavor}"
    dynamodb, sns, sqs, s3 = clients(aws)
    for bucket in ("output", "uploads", "tasks", "models"):
        s3.create_bucket(Bucket=f"{name}-{bucket}")
    make_table(dynamodb, name)
    tasks = sns.create_topic(Name=f"{name}-tasks")["TopicArn"]
    results = sns.create_topic(Name=f"{name}-results")["TopicArn"]
    queues = {}
    for runtime in (STATIC, DYNAMIC):
        queues[runtime] = sqs.create_queue(QueueName=f"{name}-{runtime}")["QueueUrl"]
        subscribe(sns, sqs, tasks, queues[runtime], {"runtime": [runtime]})
    callbacks = sqs.create_queue(QueueName=f"{name}-callbacks")["QueueUrl"]
    subscribe(sns, sqs, results, callbacks, None)
    static = Runtime(
        STATIC,
        model_filename=CHECKPOINT,
        refiner_filename=REFINER,
        queue_url=queues[STATIC],
        settings=dict.fromkeys(OPENED, "integer"),
    )
    dynamic = Runtime(DYNAMIC, dynamic_model=True, queue_url=queues[DYNAMIC])
    environment = ApiEnvironment(
        task_topic_arn=tasks,
        result_topic_arn=results,
        output_bucket=f"{name}-output",
        upload_bucket=f"{name}-uploads",
        task_bucket=f"{name}-tasks",
        model_bucket=f"{name}-models",
        task_table=name,
        runtimes=Runtimes([static, dynamic]),
    )
    return Deployment(environment, dynamodb, s3, sns, sqs, callbacks)


def main() -> None:
    """Print what each case comes to."""
    with run_emulator() as aws, places(aws) as both:
        for name in bodies():
            for flavor, place in both.items():
                got = place.case(name)
                shown = (
                    got.error_text
                    if got.code != "completed"
                    else json.dumps(got.warnings, ensure_ascii=False)
                )
                print(f"{name} | {flavor} | {got.code} | {len(got.out.get('images', ()))} | {shown[:1200]}")


if __name__ == "__main__":
    main()
