"""What a consumer needs of AWS, made in the emulator without the CDK, each test under names of its own."""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from adapters.results import Results
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
from tests.support.deployment import make_table, subscribe

RUNTIME = "sdruntime"
OUTCOME_SECONDS = 40.0


@dataclass(frozen=True)
class Cloud:
    """Hold names and clients of one runtime's resources."""

    aws: Emulator
    name: str
    queue_url: str
    dead_letter_url: str
    callbacks_url: str
    tasks_topic: str
    results_topic: str
    told: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Callbacks that were taken from their queue, by task."""
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return a client that tests share."""
        if service not in self._clients:
            self._clients[service] = self.aws.client(service, max_pool_connections=20)
        return self._clients[service]

    @property
    def table(self) -> Table:
        """Return the tasks' table."""
        return Table(self.client("dynamodb"), self.name)

    def settings(self, webui_url: str, **changes: Any) -> dict[str, str]:
        """Return a consumer's environment."""
        settings = WorkerEnvironment(
            runtime_name=RUNTIME,
            task_queue_url=self.queue_url,
            result_topic_arn=self.results_topic,
            output_bucket=self.name,
            task_table=self.name,
            task_bucket=self.name,
            model_bucket="",
            engine_url=webui_url,
            allow_private_inputs=True,
            visibility_seconds=6,
            retry_delay_seconds=0,
        )
        return settings.to_environ() | {name.upper(): str(value) for name, value in changes.items()}

    def submit(self, task_id: str, *, tasktype: str = "text-to-image", **content: Any) -> Message:
        """Submit a task as the API does: row, message, note."""
        task = Task(
            id=task_id,
            runtime=RUNTIME,
            tasktype=TaskType(tasktype),
            prefix="output",
            context={"of": task_id},
            content={"prompt": task_id, "steps": 4, "width": 64, "height": 64, "seed": 1} | content
            if TaskType(tasktype).generates
            else content,
            api_version="v1alpha2",
            uid=None,
        )
        message = Message(task=task, submission_id=new_submission_id(), submitted_at=iso(now()))
        written = self.table.write(task_id, submit(new_row(message, digest=task.digest, now=now())))
        assert written.done
        self.publish(message)
        self.table.write(task_id, mark_published(self.row(task_id), now()))
        return message

    def publish(self, message: Message) -> None:
        """Publish a message, once more if it was before."""
        tasks = Tasks(self.client("sns"), self.client("s3"), topic_arn=self.tasks_topic, bucket=self.name)
        tasks.publish(message.encode(), runtime=RUNTIME)

    def cancel(self, task_id: str) -> Row:
        """Cancel as `DELETE /v1alpha2/tasks/{id}` does."""
        results = Results(self.client("sns"), self.results_topic, self.table)
        return Cancel(table=self.table, results=results)(task_id)

    def outcome(self, task_id: str, *, seconds: float = OUTCOME_SECONDS) -> Row:
        """Wait for the final callback of a task and return its row."""
        deadline = time.monotonic() + seconds
        while not any(one["result"] is not None for one in self.told.get(task_id, [])):
            assert time.monotonic() < deadline, f"no callback of {task_id}: {self.table.get(task_id)}"
            self.hear(wait_seconds=1)
        return self.row(task_id)

    def hear(self, *, wait_seconds: int = 0) -> None:
        """Take the callbacks that have arrived; wait for one, if there is none."""
        for body in self.take(self.callbacks_url, wait_seconds=wait_seconds):
            callback = json.loads(body)
            self.told.setdefault(callback["id"], []).append(callback)

    def row(self, task_id: str) -> Row:
        """Return a row that is there."""
        row = self.table.get(task_id)
        assert row is not None, f"no row {task_id}"
        return row

    def objects(self, prefix: str = "output/") -> list[str]:
        """Return the keys of the output bucket that begin with this."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def has_exactly_its_objects(self, row: Row) -> bool:
        """Tell whether the output bucket holds what the row names and nothing else of the task."""
        named = [*(row.item.get("images") or []), *filter(None, [row.text("output")])]
        return self.objects(f"output/{row.id}/") == sorted(
            name.removeprefix(f"s3://{self.name}/") for name in named
        )

    def out(self, task_id: str) -> dict[str, Any]:
        """Return the `.out` that the row names."""
        key = str(self.row(task_id).text("output")).removeprefix(f"s3://{self.name}/")
        body = self.client("s3").get_object(Bucket=self.name, Key=key)["Body"].read()
        out: dict[str, Any] = json.loads(body)
        return out

    def take(self, url: str, *, wait_seconds: int = 0) -> list[str]:
        """Take every message out of a queue and return the bodies."""
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

    def gone(self) -> None:
        """Wait until no message of the runtime is left."""
        self.until(lambda: self.left() == (0, 0))

    def until(self, holds: Callable[[], bool], *, seconds: float = OUTCOME_SECONDS) -> None:
        """Wait until AWS shows something of which it sends no event."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"messages visible, in flight: {self.left()}"
            time.sleep(0.1)

    def left(self, url: str | None = None) -> tuple[int, int]:
        """Return how many messages of a queue (the runtime's) are visible, and how many in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=url or self.queue_url, AttributeNames=names)
        visible, in_flight = (int(answer["Attributes"][name]) for name in names)
        return visible, in_flight


def make_cloud(aws: Emulator) -> Cloud:
    """Make table, bucket, topics and queues."""
    name = f"c{secrets.token_hex(4)}"
    sqs, sns = aws.client("sqs"), aws.client("sns")
    aws.client("s3").create_bucket(Bucket=name)
    make_table(aws.client("dynamodb"), name)
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 20})
    queue = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    callbacks = sqs.create_queue(QueueName=f"{name}-callbacks")["QueueUrl"]
    tasks_topic = sns.create_topic(Name=f"{name}-tasks")["TopicArn"]
    results_topic = sns.create_topic(Name=f"{name}-results")["TopicArn"]
    subscribe(sns, sqs, tasks_topic, queue, {"runtime": [RUNTIME]})
    subscribe(sns, sqs, results_topic, callbacks, None)
    return Cloud(aws, name, queue, dead, callbacks, tasks_topic, results_topic)
