"""Set up what a benchmark needs: an emulator behind a slow network, and one consumer."""

import base64
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
from domain.output import OutputOptions
from domain.protocol import new_row, submit
from domain.task import Task
from domain.worker_environment import WorkerEnvironment
from local.emulator import Emulator
from local.process import Process

RUNTIME = "bench"
ROOT = str(Path(__file__).parent.parent)
ROUND_TRIP_SECONDS = 0.03
"""The latency that the proxy adds to each call to AWS: the most that calls within a region usually take."""


@dataclass(frozen=True, slots=True)
class Resources:
    """The AWS resources of one consumer."""

    queue_url: str
    topic_arn: str
    bucket: str
    table: str

    @classmethod
    def create(cls, aws: Emulator) -> "Resources":
        """Create a table, bucket, queue and topic under a new name."""
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

    def submit_tasks(
        self,
        aws: Emulator,
        contents: list[dict[str, Any]],
        tasktype: str,
        *,
        first: int = 0,
        output: OutputOptions | None = None,
    ) -> None:
        """Submit one task for each content: write its row and send its message, in this order.

        Their ids are `task-N`, counted from `first`.
        """
        sqs = aws.client("sqs")
        table = Table(aws.client("dynamodb"), self.table)
        for number, content in enumerate(contents, first):
            task = Task(
                id=f"task-{number}",
                runtime=RUNTIME,
                tasktype=tasktype,
                prefix="bench",
                context=None,
                content=content,
                api_version="v1alpha2",
                output=output,
            )
            message = Message(task, submission_id=uuid.uuid4().hex[:16], submitted_at=iso(now()))
            table.write(task.id, submit(new_row(message, digest=task.digest, now=now())))
            sqs.send_message(QueueUrl=self.queue_url, MessageBody=message.encode())


@contextmanager
def consumer(
    aws: Emulator,
    resources: Resources,
    engine_url: str,
    extra_environment: Mapping[str, str],
    *,
    heartbeat: bool = True,
) -> Iterator[Process]:
    """Run one consumer behind a proxy that adds `ROUND_TRIP_SECONDS` to each call to AWS.

    `extra_environment` overrides the consumer's environment variables. With `heartbeat=False`, only one
    heartbeat is sent, at the start, to measure what the others cost.
    """
    with Latency(aws.port, round_trip_seconds=ROUND_TRIP_SECONDS) as proxy:
        worker_environment = WorkerEnvironment(
            runtime_name=RUNTIME,
            task_queue_url=resources.queue_url.replace(f":{aws.port}/", f":{proxy.port}/"),
            result_topic_arn=resources.topic_arn,
            output_bucket=resources.bucket,
            task_table=resources.table,
            engine_url=engine_url,
            allow_private_inputs=True,
        )
        environment = {
            **aws.environment(),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}",
            **worker_environment.to_environ(),
            # As in the consumer's image, because it decides how much memory the process returns.
            "MALLOC_TRIM_THRESHOLD_": "131072",
            **extra_environment,
        }
        command = [sys.executable, "-m", "container.consumer" if heartbeat else "bench.without_heartbeat"]
        with Process("consumer", command, environment=environment, cwd=ROOT) as process:
            yield process


def wait_for_outcomes(process: Process, count: int, *, seconds: float) -> None:
    """Wait until the consumer has logged that `count` tasks finished; raise the errors of `check_waiting`."""
    deadline = time.monotonic() + seconds
    while (finished_count := sum("task finished" in line for line in process.lines())) < count:
        check_waiting(process, deadline, f"{finished_count} of {count} tasks finished")
        time.sleep(0.05)


def check_waiting(process: Process, deadline: float, progress: str) -> None:
    """Raise RuntimeError if the process has ended, TimeoutError after `deadline`, with the end of its log."""
    if process.returncode is not None:
        text = f"the consumer ended with status {process.returncode}: {progress}"
        raise RuntimeError(f"{text}\n{process.tail(40)}")
    if time.monotonic() > deadline:
        raise TimeoutError(f"timed out: {progress}\n{process.tail(40)}")


def peak_mebibytes(process: Process) -> float:
    """Return the peak memory of a running process; works on Linux only."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    peak_line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak_line.split()[1]) / 1024  # Linux reports KiB


def base64_text(data: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(data).decode()


def json_bytes(value: Any) -> bytes:
    """Return a value as compact JSON, encoded as UTF-8."""
    return json.dumps(value, separators=(",", ":")).encode()
