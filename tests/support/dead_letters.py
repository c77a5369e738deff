"""Call the dead-letter function as Lambda does for a dead-letter queue."""

from datetime import UTC, datetime
from typing import Any

from adapters.archive import Archive
from functions.dead_letters.batch import process_batch
from functions.dead_letters.dead_letter import DeadLetterProcessor
from tests.support.clock import FakeClock
from tests.support.deployment import DYNAMIC, Deployment
from tests.support.worker import results


def dead_letter(
    deployment: Deployment, *bodies: str, clock: Any = None, sns: Any = None, s3: Any = None, time: Any = None
) -> list[str]:
    """Send bodies as Lambda does, and return the ids of the failed ones."""
    clock = clock or FakeClock()
    archive = Archive(s3 or deployment.s3, deployment.environment.task_bucket)
    results_ = results(deployment, sns)
    event = {"Records": [record(number, body) for number, body in enumerate(bodies)]}
    settled = DeadLetterProcessor(table=deployment.table, results=results_, archive=archive, clock=clock)
    answer = process_batch(event, settled, time or (lambda: True))
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def record(number: int, body: str, runtime: str = DYNAMIC) -> dict[str, Any]:
    """Return a record of an SQS event."""
    return {
        "messageId": f"message-{number}",
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "21", "SentTimestamp": "1"},
        "messageAttributes": {"runtime": {"stringValue": runtime, "dataType": "String"}},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:dead-letters",
        "awsRegion": "us-east-1",
    }


def archived(deployment: Deployment) -> dict[str, str]:
    """Return the archive as keys and bodies."""
    archive = Archive(deployment.s3, deployment.environment.task_bucket)
    return {entry.key: entry.body for entry in archive.find(day=datetime.now(UTC).date().isoformat())}
