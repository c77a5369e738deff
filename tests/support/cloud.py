"""One runtime on emulated AWS resources, and what tests do with it as a caller, a consumer or an operator."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from adapters.table import Table
from adapters.tasks import Tasks
from domain.clock import iso, now
from domain.message import Message
from domain.protocol import mark_published, new_row, submit
from domain.row import Row, new_submission_id
from domain.task import Task
from domain.worker_environment import WorkerEnvironment
from functions.api.cancel import Cancel
from local.emulator import Emulator
from runtimes.sdwebui.task_type import TaskType
from tests.support import worker
from tests.support.deployment import DYNAMIC, Deployment, deploy

RUNTIME = DYNAMIC
OUTCOME_SECONDS = 40.0


@dataclass(frozen=True)
class Cloud:
    """One runtime of a deployment."""

    aws: Emulator
    deployment: Deployment
    dead_letter_url: str
    callbacks_by_task: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Callbacks that were received so far, by task id."""
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return the client of a service; each is created once, because that takes longer than most calls."""
        if service not in self._clients:
            self._clients[service] = self.aws.client(service, max_pool_connections=20)
        return self._clients[service]

    @property
    def table(self) -> Table:
        """Return the tasks' table."""
        return self.deployment.table

    @property
    def queue_url(self) -> str:
        """Return the URL of the runtime's queue."""
        return self.deployment.queue(RUNTIME)

    @property
    def output_bucket(self) -> str:
        """Return the name of the bucket for images."""
        return self.deployment.environment.output_bucket

    def consumer_environment(self, engine_url: str, **changes: Any) -> dict[str, str]:
        """Return a consumer's environment; `changes` are settings by their names in lower case."""
        settings = WorkerEnvironment(
            runtime_name=RUNTIME,
            task_queue_url=self.queue_url,
            result_topic_arn=self.deployment.environment.result_topic_arn,
            output_bucket=self.output_bucket,
            task_table=self.deployment.environment.task_table,
            task_bucket=self.deployment.environment.task_bucket,
            model_bucket="",
            engine_url=engine_url,
            allow_private_inputs=True,
            visibility_seconds=6,
            retry_delay_seconds=0,
        )
        return settings.to_environ() | {
            name.upper(): json.dumps(value) if isinstance(value, dict) else str(value)
            for name, value in changes.items()
        }

    def submit(
        self,
        task_id: str,
        *,
        tasktype: str = "text-to-image",
        start_within_seconds: int | None = None,
        group: str | None = None,
        **content: Any,
    ) -> Message:
        """Submit a task as the API does: write the row, publish the message, record that."""
        if TaskType(tasktype).generates:
            content = {"prompt": task_id, "steps": 4, "width": 64, "height": 64, "seed": 1} | content
        return self.submit_content(
            task_id, TaskType(tasktype), content, start_within_seconds=start_within_seconds, group=group
        )

    def submit_content(self, task_id: str, tasktype: str, content: dict[str, Any], **details: Any) -> Message:
        """Submit a task of any runtime type; `details` are further fields of the task."""
        task = Task(
            id=task_id,
            runtime=RUNTIME,
            tasktype=tasktype,
            prefix="output",
            context={"of": task_id},
            content=content,
            api_version="v1alpha2",
            **details,
        )
        message = Message(
            task=task, submission_id=new_submission_id(), submitted_at=iso(now()), group=task.group
        )
        write = self.table.write(task_id, submit(new_row(message, digest=task.digest, now=now())))
        assert write.done
        self.publish(message)
        self.table.write(task_id, mark_published(self.row(task_id), now()))
        return message

    def publish(self, message: Message) -> None:
        """Publish a message, possibly again."""
        environment = self.deployment.environment
        tasks = Tasks(
            self.client("sns"),
            self.client("s3"),
            topic_arn=environment.task_topic_arn,
            bucket=environment.task_bucket,
        )
        tasks.publish(message.encode(), runtime=RUNTIME, group=message.group)

    def cancel(self, task_id: str) -> Row:
        """Cancel as `DELETE /v1alpha2/tasks/{id}` does."""
        results = worker.results(self.deployment)
        return Cancel(table=self.table, results=results)(task_id)

    def outcome(self, task_id: str, *, seconds: float = OUTCOME_SECONDS) -> Row:
        """Wait for the final callback of a task and return its row."""
        deadline = time.monotonic() + seconds
        while not any(callback["result"] is not None for callback in self.callbacks_by_task.get(task_id, [])):
            assert time.monotonic() < deadline, f"no callback of {task_id}: {self.table.get(task_id)}"
            self.receive_callbacks(wait_seconds=1)
        return self.row(task_id)

    def receive_callbacks(self, *, wait_seconds: int = 0) -> None:
        """Receive the callbacks that have arrived; wait up to `wait_seconds` if there is none."""
        for body in self.drain_queue(self.deployment.results_queue, wait_seconds=wait_seconds):
            callback = json.loads(body)
            self.callbacks_by_task.setdefault(callback["id"], []).append(callback)

    def row(self, task_id: str) -> Row:
        """Return the row of a task, which must exist."""
        return self.deployment.row(task_id)

    def objects(self, prefix: str = "output/") -> list[str]:
        """Return the keys in the output bucket with a prefix."""
        pages = (
            self.client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self.output_bucket, Prefix=prefix)
        )
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def has_exactly_its_objects(self, row: Row) -> bool:
        """Return whether the output bucket contains exactly the task's objects that its row names."""
        named_uris = [*(row.item.get("images") or []), *filter(None, [row.text("output")])]
        return self.objects(f"output/{row.id}/") == sorted(
            name.removeprefix(f"s3://{self.output_bucket}/") for name in named_uris
        )

    def output_document(self, task_id: str) -> dict[str, Any]:
        """Return the output document of a completed task, the JSON file that describes its images."""
        key = str(self.row(task_id).text("output")).removeprefix(f"s3://{self.output_bucket}/")
        body = self.client("s3").get_object(Bucket=self.output_bucket, Key=key)["Body"].read()
        document: dict[str, Any] = json.loads(body)
        return document

    def drain_queue(self, url: str, *, wait_seconds: int = 0) -> list[str]:
        """Receive and delete all messages of a queue; return their bodies."""
        sqs = self.client("sqs")
        bodies: list[str] = []
        while True:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds)
            if not answer.get("Messages"):
                return bodies
            for message in answer["Messages"]:
                bodies.append(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            wait_seconds = 0

    def wait_until_empty(self) -> None:
        """Wait until the runtime's queue has no message."""
        self.wait_until(lambda: self.message_counts() == (0, 0))

    def wait_until(self, condition: Callable[[], bool], *, seconds: float = OUTCOME_SECONDS) -> None:
        """Poll until a condition holds, for which AWS sends no event."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"messages visible, in flight: {self.message_counts()}"
            time.sleep(0.1)

    def message_counts(self, url: str | None = None) -> tuple[int, int]:
        """Return how many messages of a queue (default: the runtime's) are visible, and in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=url or self.queue_url, AttributeNames=names)
        visible, in_flight = (int(answer["Attributes"][name]) for name in names)
        return visible, in_flight


def make_cloud(aws: Emulator) -> Cloud:
    """Create the resources, with a dead-letter queue for the runtime's queue."""
    deployment = deploy(aws)
    sqs, queue_url = deployment.sqs, deployment.queue(RUNTIME)
    dead_letter_url = sqs.create_queue(QueueName=f"{queue_url.rsplit('/', 1)[1]}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead_letter_url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 20})
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"RedrivePolicy": redrive})
    return Cloud(aws, deployment, dead_letter_url)
