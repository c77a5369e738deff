"""Submit dead-lettered tasks again: `python -m tools.redrive --help`; docs/operations.md says when."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import boto3
import typer
from botocore.exceptions import ClientError

from adapters.archive import Archive, ArchivedMessage
from adapters.table import Table
from adapters.tasks import Tasks
from domain.clock import iso, now
from domain.errors import BadMessage
from domain.keys import split_s3_uri
from domain.message import Message
from domain.protocol import mark_published, new_row, resubmit, submit
from domain.row import Row, Status, new_submission_id


@dataclass(frozen=True, slots=True)
class RedriveCandidate:
    """An archived dead letter that can be redriven, or the reason why it cannot."""

    key: str
    message: Message | None = None
    row: Row | None = None
    reason: str | None = None


class Redrive:
    """Create new submissions of dead-lettered tasks.

    Publishing the archived message unchanged would have no effect: the row already has its outcome, and
    consumers delete messages of finished rows. The task is therefore submitted again, as a new submission
    with new object keys.
    """

    def __init__(
        self, *, archive: Archive, table: Table, tasks: Tasks, s3: Any, clock: Callable[[], datetime] = now
    ) -> None:
        self._archive = archive
        self._table = table
        self._tasks = tasks
        self._s3 = s3
        self._clock = clock

    def find(self, *, day: str, runtime: str | None, message_id: str | None) -> Iterator[RedriveCandidate]:
        """Yield every message archived on that day, and whether it can be redriven."""
        for archived in self._archive.find(day=day, runtime=runtime, message_id=message_id):
            yield self._check(archived)

    def send(self, candidate: RedriveCandidate) -> str | None:
        """Submit the task again; return the reason if that was not possible, otherwise None."""
        message, row = candidate.message, candidate.row
        if message is None:
            return candidate.reason
        submitted_at = self._clock()
        resubmitted = replace(message, submission_id=new_submission_id(), submitted_at=iso(submitted_at))
        digest = (row.text("digest") if row else None) or message.task.digest
        item = new_row(resubmitted, digest=digest, now=submitted_at)
        written = self._table.write(message.task.id, resubmit(item, row) if row else submit(item))
        if not written.done or written.row is None:
            return "its row has just been changed; try again"
        # The task is submitted from here on: if publishing fails, the sweep will publish it.
        self._tasks.publish(str(item["message"]), runtime=message.task.runtime, group=message.group)
        self._table.write(message.task.id, mark_published(written.row, self._clock()))
        return None

    def _check(self, archived: ArchivedMessage) -> RedriveCandidate:
        try:
            message = Message.decode(archived.body)
        except BadMessage:
            return RedriveCandidate(archived.key, reason="not a task message")
        row = self._table.get(message.task.id)
        if reason := self._refusal_reason(message, row):
            return RedriveCandidate(archived.key, reason=f"{message.task.id}: {reason}")
        return RedriveCandidate(archived.key, message, row)

    def _refusal_reason(self, message: Message, row: Row | None) -> str | None:
        if row is not None:
            if row.submission_id != message.submission_id:
                return "its id has been submitted again since, possibly by a redrive"
            if row.status is not Status.FAILED:
                return f"it is {row.status.value}"
            if not row.notified:
                return "its final callback has not been sent yet; try again in a few minutes"
        if message.content_ref is not None and not self._exists(message.content_ref):
            return "its content has been deleted from the large-task bucket"
        return None

    def _exists(self, uri: str) -> bool:
        try:
            bucket, key = split_s3_uri(uri)
        except ValueError:
            return False
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        return True


def connect(stack: str) -> Redrive:
    """Create a Redrive for a deployed stack; boto3 determines the account and the region."""
    stack_description = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack_description["Outputs"]}
    s3 = boto3.client("s3")
    bucket = outputs["LargeTaskBucket"]
    return Redrive(
        archive=Archive(s3, bucket),
        table=Table(boto3.client("dynamodb"), outputs["TaskTable"]),
        tasks=Tasks(boto3.client("sns"), s3, topic_arn=outputs["TaskTopicArn"], bucket=bucket),
        s3=s3,
    )


def report(redrive: Redrive, candidates: Iterable[RedriveCandidate], *, go: bool) -> tuple[int, int]:
    """Print each message and redrive it if `go`; return how many were (or would be) sent, and skipped."""
    sent = skipped = 0
    for candidate in candidates:
        reason = redrive.send(candidate) if go and candidate.message else candidate.reason
        if reason is None and candidate.message:
            sent += 1
            verb = "redriven" if go else "would redrive"
            typer.echo(
                f"{verb}\t{candidate.message.task.runtime}\t{candidate.message.task.id}\t{candidate.key}"
            )
        else:
            skipped += 1
            typer.echo(f"skipped\t{candidate.key}\t{reason}")
    return sent, skipped


def main(
    stack: Annotated[str, typer.Option(help="Name of the core stack: `stackName` in config.yaml.")],
    day: Annotated[
        str | None, typer.Option(help="Day (UTC) of the dead letters, YYYY-MM-DD. Default: today.")
    ] = None,
    runtime: Annotated[str | None, typer.Option(help="Only messages of this runtime.")] = None,
    message: Annotated[
        str | None, typer.Option(help="Only the message with this id (the name of its file).")
    ] = None,
    *,
    go: Annotated[
        bool, typer.Option("--go", help="Redrive the messages; without it, only list them.")
    ] = False,
) -> None:
    """Submit dead-lettered tasks again, as new submissions; without --go nothing is changed."""
    redrive = connect(stack)
    day = day or datetime.now(UTC).date().isoformat()
    sent, skipped = report(redrive, redrive.find(day=day, runtime=runtime, message_id=message), go=go)
    typer.echo(
        f"{sent} {'redriven' if go else 'to redrive (nothing was changed: add --go)'}, {skipped} skipped"
    )


if __name__ == "__main__":
    typer.run(main)
