"""The AWS resources of the functions, created in the emulator without the CDK."""

import functools
import json
import secrets
from dataclasses import dataclass
from typing import Any

from adapters.listing import BY_RUNTIME_STATUS, PENDING
from adapters.runtime_report import RuntimeReports
from adapters.table import Table
from domain.routing import Runtime, Runtimes
from domain.row import Row
from functions.environment import ApiEnvironment
from local.emulator import Emulator
from runtimes.base import EngineNames

DYNAMIC = "sdruntime"
STATIC = "static-runtime"
CHECKPOINT = "v1-5-pruned-emaonly.safetensors"


TABLE: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [
        {"AttributeName": attribute, "AttributeType": "S"}
        for attribute in ("id", "runtime_status", "submitted_at_id", "pending_runtime", "pending_since")
    ],
    "BillingMode": "PAY_PER_REQUEST",
    "GlobalSecondaryIndexes": [
        {
            "IndexName": BY_RUNTIME_STATUS,
            "KeySchema": [
                {"AttributeName": "runtime_status", "KeyType": "HASH"},
                {"AttributeName": "submitted_at_id", "KeyType": "RANGE"},
            ],
            "Projection": {
                "ProjectionType": "INCLUDE",
                "NonKeyAttributes": [
                    "status",
                    "runtime",
                    "tasktype",
                    "submission_id",
                    "submitted_at",
                    "published_at",
                    "started_at",
                    "finished_at",
                    "cost",
                    "cost_kind",
                ],
            },
        },
        {
            "IndexName": PENDING,
            "KeySchema": [
                {"AttributeName": "pending_runtime", "KeyType": "HASH"},
                {"AttributeName": "pending_since", "KeyType": "RANGE"},
            ],
            "Projection": {
                "ProjectionType": "INCLUDE",
                "NonKeyAttributes": ["speeds", "start_seconds", "starting_since"],
            },
        },
    ],
}
"""The table's keys and indexes; a test of the core stack holds them equal to the template's."""


@dataclass(frozen=True)
class Deployment:
    """Clients and names of resources; each deployment has resources of its own."""

    environment: ApiEnvironment
    dynamodb: Any
    s3: Any
    sns: Any
    sqs: Any
    results_queue: str

    @property
    def table(self) -> Table:
        """Return the tasks' table."""
        return Table(self.dynamodb, self.environment.task_table)

    def row(self, task_id: str) -> Row:
        """Return the row of a task, which must exist."""
        row = self.table.get(task_id)
        assert row is not None, f"no row {task_id}"
        return row

    def queue(self, runtime: str) -> str:
        """Return the URL of a runtime's queue."""
        named_runtime = self.environment.runtimes.named(runtime)
        assert named_runtime is not None
        return named_runtime.queue_url

    def messages(self, runtime: str = DYNAMIC) -> list[dict[str, Any]]:
        """Receive and delete all messages of a runtime's queue."""
        return [json.loads(body) for body in self._drain(self.queue(runtime))]

    def callbacks(self) -> list[dict[str, Any]]:
        """Receive and delete all callbacks."""
        return [json.loads(body) for body in self._drain(self.results_queue)]

    def put_checkpoint(self, name: str) -> None:
        """Upload a checkpoint to the model bucket."""
        self.s3.put_object(
            Bucket=self.environment.model_bucket, Key=f"Stable-diffusion/{name}", Body=b"model"
        )

    def report(self, *names: str, runtime: str = DYNAMIC) -> None:
        """Report checkpoints as a worker of the runtime does."""
        self.report_names(EngineNames({"Stable-diffusion": names}), runtime)

    def report_names(self, names: EngineNames, runtime: str = DYNAMIC) -> None:
        """Report what an engine lists, as a worker of the runtime does."""
        RuntimeReports(self.s3, self.environment.task_bucket).write(runtime, names)

    def _drain(self, url: str) -> list[str]:
        # The emulator hands a message to its queue before publish returns: an empty answer is the end.
        bodies: list[str] = []
        while True:
            answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            if not answer.get("Messages"):
                return bodies
            for message in answer["Messages"]:
                bodies.append(message["Body"])
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def deploy(aws: Emulator) -> Deployment:
    """Create table, topics, queues and buckets under unique names."""
    name = f"t{secrets.token_hex(4)}"
    dynamodb, sns, sqs, s3 = clients(aws)
    for bucket in ("output", "uploads", "tasks", "models"):
        s3.create_bucket(Bucket=f"{name}-{bucket}")
    make_table(dynamodb, name)
    tasks_topic = sns.create_topic(Name=f"{name}-tasks")["TopicArn"]
    results_topic = sns.create_topic(Name=f"{name}-results")["TopicArn"]
    queues = {}
    for runtime in (DYNAMIC, STATIC):
        queues[runtime] = sqs.create_queue(QueueName=f"{name}-{runtime}")["QueueUrl"]
        subscribe(sns, sqs, tasks_topic, queues[runtime], {"runtime": [runtime]})
    results_queue = sqs.create_queue(QueueName=f"{name}-callbacks")["QueueUrl"]
    subscribe(sns, sqs, results_topic, results_queue, None)
    environment = ApiEnvironment(
        task_topic_arn=tasks_topic,
        result_topic_arn=results_topic,
        output_bucket=f"{name}-output",
        upload_bucket=f"{name}-uploads",
        task_bucket=f"{name}-tasks",
        model_bucket=f"{name}-models",
        task_table=name,
        runtimes=Runtimes(
            [
                Runtime(STATIC, model_filename="static.safetensors", queue_url=queues[STATIC]),
                Runtime(DYNAMIC, dynamic_model=True, model_filename=CHECKPOINT, queue_url=queues[DYNAMIC]),
            ],
        ),
    )
    return Deployment(environment, dynamodb, s3, sns, sqs, results_queue)


@functools.cache
def clients(aws: Emulator) -> list[Any]:
    """Return clients that all tests share, because creating them takes longer than most tests."""
    # 50 requests at once: none waits for a connection of another's.
    wide = {"max_pool_connections": 60}
    shared = [aws.client(service, **wide) for service in ("dynamodb", "sns", "sqs")]
    return [*shared, aws.client("s3", **wide, signature_version="s3v4")]


def make_table(dynamodb: Any, name: str) -> None:
    """Create the table with its indexes, as in the core stack."""
    dynamodb.create_table(TableName=name, **TABLE)


def subscribe(sns: Any, sqs: Any, topic: str, queue: str, policy: dict[str, Any] | None) -> None:
    """Subscribe a queue to a topic with raw delivery and a filter."""
    answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    attributes = {"RawMessageDelivery": "true"}
    if policy is not None:
        attributes["FilterPolicy"] = json.dumps(policy)
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=answer["Attributes"]["QueueArn"],
        Attributes=attributes,
    )
