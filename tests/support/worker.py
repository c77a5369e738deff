"""The steps of the consumer and the sweep, which tests of the functions take one by one."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapters.listing import Listing
from adapters.orphans import OrphanCleaner
from adapters.queues import depth
from adapters.results import Results
from adapters.tasks import Tasks
from domain.clock import now
from domain.delivery import Action, decide
from domain.keys import SUBMISSION_METADATA, s3_uri
from domain.message import Message
from domain.protocol import claim, finish, start
from domain.row import Row, Status, new_fence
from functions.publisher import Publisher
from functions.sweep.sweep import Report, Sweep
from tests.support.deployment import Deployment


class Worker:
    """Does what the consumer does with a message, without an SD Web UI; `runs` lists its tasks."""

    def __init__(self, deployment: Deployment, clock: Callable[[], datetime] = now) -> None:
        self._deployment = deployment
        self._table = deployment.table
        self._clock = clock
        self.runs: list[str] = []

    def claim(self, task_id: str, *, seconds: float = 120) -> Row:
        """Claim a task."""
        row = self._deployment.row(task_id)
        change = claim(row, worker="w", fence=new_fence(), seconds=seconds, now=self._clock())
        return self._write_that_must_succeed(task_id, change)

    def start(self, task_id: str, *, seconds: float = 120) -> Row:
        """Claim a task and start it, so that its status is `running`."""
        row = self.claim(task_id, seconds=seconds)
        return self._write_that_must_succeed(task_id, start(row, seconds=seconds, now=self._clock()))

    def store(self, row: Row, number: int = 1) -> str:
        """Store an image under the row's fence and return its link."""
        bucket = self._deployment.environment.output_bucket
        key = row.keys.image(str(row.fence), number, "png")
        metadata = {SUBMISSION_METADATA: row.submission_id}
        self._deployment.s3.put_object(Bucket=bucket, Key=key, Body=b"png", Metadata=metadata)
        return s3_uri(bucket, key)

    def finish(self, row: Row, status: Status = Status.COMPLETED, *, notify: bool = True) -> Row:
        """Store an image if the task completed, write its outcome and, with `notify`, send its callback."""
        images = [self.store(row)] if status is Status.COMPLETED else []
        finished_row = self._write_that_must_succeed(
            row.id, finish(row, status, now=self._clock(), images=images)
        )
        if notify:
            results(self._deployment).notify(finished_row)
        return self._deployment.row(row.id)

    def run(self, task_id: str, status: Status = Status.COMPLETED, *, notify: bool = True) -> Row:
        """Claim, start and finish a task."""
        return self.finish(self.start(task_id), status, notify=notify)

    def deliver(self, body: dict[str, Any]) -> Action:
        """Process a delivery as the consumer does; return the action."""
        message = Message.decode(json.dumps(body))
        action = decide(self._table.get(message.task.id), message, self._clock()).action
        if action is Action.CLAIM:
            self.runs.append(message.task.id)
            self.run(message.task.id)
        return action

    def _write_that_must_succeed(self, task_id: str, change: Any) -> Row:
        result = self._table.write(task_id, change)
        assert result.done, f"{change.name} was refused: {result.row}"
        assert result.row is not None
        return result.row


def results(deployment: Deployment, sns: Any = None) -> Results:
    """Return the sender of callbacks, which also deletes orphaned objects."""
    environment = deployment.environment
    orphans = OrphanCleaner(deployment.s3, environment.output_bucket)
    return Results(sns or deployment.sns, environment.result_topic_arn, deployment.table, orphans)


def sweep(
    deployment: Deployment,
    clock: Callable[[], datetime] = now,
    *,
    sns: Any = None,
    pause: Callable[[float], None] = lambda _seconds: None,
    time_is_left: Callable[[], bool] = lambda: True,
) -> Report:
    """Run the sweep once."""
    environment = deployment.environment
    sns = sns or deployment.sns
    tasks = Tasks(sns, deployment.s3, topic_arn=environment.task_topic_arn, bucket=environment.task_bucket)
    return Sweep(
        runtimes=environment.runtimes,
        table=deployment.table,
        listing=Listing(deployment.dynamodb, environment.task_table),
        publisher=Publisher(table=deployment.table, tasks=tasks, clock=clock),
        results=results(deployment, sns),
        depth=lambda url: depth(deployment.sqs, url),
        clock=clock,
        pause=pause,
    )(time_is_left)
