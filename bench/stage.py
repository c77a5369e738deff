"""What a benchmark runs on: the emulator behind a slow network, and one consumer."""

import json
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.table import Table
from bench.latency import Latency
from domain.clock import iso, now
from domain.message import Message
from domain.protocol import new_row, submit
from domain.task import Task
from domain.worker_environment import WorkerEnvironment
from local.emulator import Emulator
from local.process import Process

RUNTIME = "bench"
ROOT = str(Path(__file__).parent.parent)
ROUND_TRIP_SECONDS = 0.03
"""A call to AWS from inside its region takes some 5 to 30 ms; sd-on-eks was measured with 30."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Name what a consumer needs."""

    queue_url: str
    topic_arn: str
    bucket: str
    table: str

    @classmethod
    def make(cls, aws: Emulator) -> "Resources":
        """Create fresh resources."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        aws.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        aws.client("s3").create_bucket(Bucket=name)
        return cls(
            queue_url=aws.client("sqs").create_queue(QueueName=name)["QueueUrl"],
            topic_arn=aws.client("sns").create_topic(Name=name)["TopicArn"],
            bucket=name,
            table=name,
        )

    def send(self, aws: Emulator, contents: list[dict[str, Any]], tasktype: str) -> None:
        """Put one task a content into the queue, in order."""
        sqs = aws.client("sqs")
        table = Table(aws.client("dynamodb"), self.table)
        for number, content in enumerate(contents):
            task = Task(
                id=f"task-{number}",
                runtime=RUNTIME,
                tasktype=tasktype,
                prefix="bench",
                context=None,
                content=content,
                api_version="v1alpha2",
            )
            message = Message(task, submission_id=uuid.uuid4().hex[:16], submitted_at=iso(now()))
            table.write(task.id, submit(new_row(message, digest=task.digest, now=now())))
            sqs.send_message(QueueUrl=self.queue_url, MessageBody=message.encode())


@contextmanager
def consumer(
    aws: Emulator,
    resources: Resources,
    engine_url: str,
    settings: Mapping[str, str],
) -> Iterator[Process]:
    """Run one consumer whose every call to AWS takes a round trip longer."""
    with Latency(aws.port, round_trip_seconds=ROUND_TRIP_SECONDS) as slow:
        needed = WorkerEnvironment(
            runtime_name=RUNTIME,
            task_queue_url=resources.queue_url.replace(f":{aws.port}/", f":{slow.port}/"),
            result_topic_arn=resources.topic_arn,
            output_bucket=resources.bucket,
            task_table=resources.table,
            engine_url=engine_url,
            allow_private_inputs=True,
        )
        environment = {
            **aws.environment(),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{slow.port}",
            **needed.to_environ(),
            **settings,
        }
        command = [sys.executable, "-m", "container.consumer"]
        with Process("consumer", command, environment=environment, cwd=ROOT) as run:
            yield run


def wait_until_told(process: Process, count: int, *, seconds: float) -> None:
    """Wait until the consumer has logged `count` outcomes."""
    deadline = time.monotonic() + seconds
    while sum("task finished" in line for line in process.lines()) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(process.tail(40))
        time.sleep(0.05)


def peak_mebibytes(process: Process) -> float:
    """Return the most memory that a process has held (Linux: VmHWM)."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def as_json(value: Any) -> bytes:
    """Return compact JSON bytes."""
    return json.dumps(value, separators=(",", ":")).encode()
