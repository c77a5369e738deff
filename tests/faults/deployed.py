"""The deployed core stack with all functions behind the fault proxy, as clients and operators use it."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final

import httpx

from adapters.archive import Archive
from adapters.table import Table
from domain.clock import now
from domain.row import Row
from local.pipeline import Pipeline
from tests.faults.soak_task import COMFYUI_RUNTIME, SoakTask
from tests.support import bodies
from tests.support.proxy import Proxy

SWEEP_EVERY_SECONDS: Final = 4.0
"""In AWS it is five minutes. What a sweep does is independent of the interval, so the test need not wait."""

SWEEP_TIMEOUT_SECONDS: Final = 120
"""The timeout of the deployed function."""

DEAD_LETTER_VISIBILITY_SECONDS: Final = 10
"""The visibility timeout of the dead-letter queue; three minutes in AWS."""

MAX_ATTEMPTS: Final = 8
RETRY_SECONDS: Final = 0.3
RUNTIMES: Final = (bodies.RUNTIME, COMFYUI_RUNTIME)
"""A runtime of each type."""


class Deployed:
    """Submits and cancels tasks by HTTP, receives published messages, and publishes foreign ones."""

    def __init__(self, pipeline: Pipeline, proxy: Proxy) -> None:
        self.pipeline = pipeline
        self.aws = pipeline.aws
        self.proxy = proxy
        self.accepted: dict[str, SoakTask] = {}
        self.foreign: list[str] = []
        self.dead_lettered: list[str] = []
        self.messages: dict[str, str] = {}
        """The last message of each task that the tasks topic carried."""
        self.sweep_totals: Counter[str] = Counter()
        self.retried_requests = 0
        self._sqs, self._sns = self.aws.client("sqs"), self.aws.client("sns")
        self._s3 = self.aws.client("s3")
        outputs = pipeline.deployment.outputs
        self._table = Table(self.aws.client("dynamodb"), outputs["TaskTable"])
        self._tasks_topic, self._large_task_bucket = outputs["TaskTopicArn"], outputs["LargeTaskBucket"]
        self._dead_letter_urls = {name: self._dead_letter_queue(name) for name in RUNTIMES}
        self._copies_url = self._subscribe_queue("messages-of-this-run")
        self._route_functions_through(proxy.url)

    def submit(self, task: SoakTask, *, twice: bool = False) -> None:
        """Submit a task until the API accepts it; with `twice`, send it twice at the same time."""
        body = json.dumps(task.body()).encode()
        requests = [body, body] if twice else [body]
        with ThreadPoolExecutor(len(requests)) as pool:
            for answer in pool.map(partial(self._call, "POST", "/v1alpha2"), requests):
                assert answer.status_code == 200, f"{task.id}: {answer.status_code} {answer.text}"
        self.accepted[task.id] = task

    def cancel(self, task_id: str) -> bool:
        """Cancel a task; return False if it has an outcome already."""
        answer = self._call("DELETE", f"/v1alpha2/tasks/{task_id}")
        assert answer.status_code in (200, 202, 409), f"{task_id}: {answer.status_code} {answer.text}"
        return answer.status_code != 409

    def status(self, task_id: str) -> str:
        """Return the status that the API shows."""
        status: str = self._call("GET", f"/v1alpha2/tasks/{task_id}").json()["status"]
        return status

    def publish_again(self, task_id: str) -> None:
        """Publish a task's message once more."""
        self._publish(self.messages[task_id], self.accepted[task_id].runtime)

    def _publish(self, body: str, runtime: str) -> None:
        attributes = {"runtime": {"DataType": "String", "StringValue": runtime}}
        self._sns.publish(TopicArn=self._tasks_topic, Message=body, MessageAttributes=attributes)

    def publish_foreign(self, rng: random.Random) -> None:
        """Publish a message that is not a task."""
        number = len(self.foreign)
        body = rng.choice(
            (
                f"hello {number} ☃",
                json.dumps({"Records": [number]}),
                "[" * 50_000 + str(number),
                json.dumps({"metadata": {"id": f"foreign-{number}", "tasktype": "video"}, "content": {}}),
            )
        )
        self.foreign.append(body)
        self._publish(body, rng.choice(RUNTIMES))

    def dead_letter(self, task_id: str) -> None:
        """Send a copy of a task's message to its dead-letter queue, as SQS does after too many deliveries."""
        url = self._dead_letter_urls[self.accepted[task_id].runtime]
        self._sqs.send_message(QueueUrl=url, MessageBody=self.messages[task_id])
        self.dead_lettered.append(self.messages[task_id])

    def receive_messages(self) -> None:
        """Receive the messages that were published to the tasks topic since the last call."""
        while True:
            answer = self._sqs.receive_message(QueueUrl=self._copies_url, MaxNumberOfMessages=10)
            if not answer.get("Messages"):
                return
            for message in answer["Messages"]:
                self._sqs.delete_message(QueueUrl=self._copies_url, ReceiptHandle=message["ReceiptHandle"])
                if message["Body"] not in self.foreign:
                    self.messages[json.loads(message["Body"])["metadata"]["id"]] = message["Body"]

    def row(self, task_id: str) -> Row:
        """Return the row of a task, which must exist."""
        row = self._table.get(task_id)
        assert row is not None, f"no row {task_id}"
        return row

    def message_counts(self) -> dict[str, tuple[int, int]]:
        """Return visible and in-flight messages of each queue that is not empty."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = {}
        for url in self._sqs.list_queues()["QueueUrls"]:
            answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
            counts[url.rsplit("/", 1)[1]] = (
                int(answer["Attributes"][names[0]]),
                int(answer["Attributes"][names[1]]),
            )
        return {name: count for name, count in counts.items() if count != (0, 0)}

    def archived(self) -> list[str]:
        """Return the bodies that the dead-letter function archived today."""
        archive = Archive(self._s3, self._large_task_bucket)
        return [archived.body for archived in archive.find(day=now().date().isoformat())]

    def sweep(self) -> None:
        """Invoke the sweep's function once and add its report to the totals."""
        lambda_ = self.aws.client("lambda", read_timeout=SWEEP_TIMEOUT_SECONDS + 10)
        answer = lambda_.invoke(FunctionName=self._function("Sweep"), Payload=b"{}")
        report = json.load(answer["Payload"])
        self.sweep_totals.update(
            {"runs": 1, "errors": 1} if "FunctionError" in answer else {"runs": 1, **report}
        )

    def _call(self, method: str, path: str, content: bytes | None = None) -> httpx.Response:
        for _ in range(MAX_ATTEMPTS):
            try:
                answer = self.pipeline.call(method, path, content=content)
            except httpx.TransportError:
                continue
            if answer.status_code < 500:
                return answer
            self.retried_requests += 1
            time.sleep(RETRY_SECONDS)
        raise AssertionError(f"{method} {path}: no answer in {MAX_ATTEMPTS} attempts")

    def _route_functions_through(self, endpoint: str) -> None:
        lambda_ = self.aws.client("lambda")
        for function in lambda_.list_functions()["Functions"]:
            name = function["FunctionName"]
            variables = function["Environment"]["Variables"] | {"AWS_ENDPOINT_URL": endpoint}
            lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
            for alias in lambda_.list_aliases(FunctionName=name)["Aliases"]:
                version = lambda_.publish_version(FunctionName=name)["Version"]
                lambda_.update_alias(FunctionName=name, Name=alias["Name"], FunctionVersion=version)

    def _function(self, part: str) -> str:
        functions = self.aws.client("lambda").list_functions()["Functions"]
        (name,) = (each["FunctionName"] for each in functions if part in each["FunctionName"])
        return str(name)

    def _subscribe_queue(self, name: str) -> str:
        url: str = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        self._sns.subscribe(
            TopicArn=self._tasks_topic,
            Protocol="sqs",
            Endpoint=self._queue_attribute(url, "QueueArn"),
            Attributes={"RawMessageDelivery": "true"},
        )
        return url

    def _queue_attribute(self, url: str, name: str) -> str:
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        value: str = answer["Attributes"][name]
        return value

    def _dead_letter_queue(self, runtime: str) -> str:
        """Return the URL of a runtime's dead-letter queue, whose messages are soon visible again."""
        queue_url = self.pipeline.deployment.runtime(runtime).queue_url
        redrive = json.loads(self._queue_attribute(queue_url, "RedrivePolicy"))
        url = self._queue_of(redrive["deadLetterTargetArn"])
        seconds = {"VisibilityTimeout": str(DEAD_LETTER_VISIBILITY_SECONDS)}
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes=seconds)
        return url

    def _queue_of(self, arn: str) -> str:
        url: str = self._sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]
        return url


@contextmanager
def run_sweeps(deployed: Deployed) -> Iterator[None]:
    """Invoke the sweep every few seconds until the block ends, as its schedule does."""
    has_ended = threading.Event()

    def run() -> None:
        while not has_ended.wait(SWEEP_EVERY_SECONDS):
            deployed.sweep()

    thread = threading.Thread(target=run, name="sweep")
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()
