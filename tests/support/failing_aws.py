"""AWS clients that fail when a test says so."""

from typing import Any

from botocore.exceptions import ClientError


class FakeSns:
    """Publish through the emulator, except to topics that are down; notes what it was asked."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.down: set[str] = set()
        self.asked: list[str] = []

    def publish(self, **message: Any) -> Any:
        """Publish, or fail as SNS does when it throttles."""
        self.asked.append(message["TopicArn"])
        if message["TopicArn"] in self.down:
            raise refusal("Publish")
        return self._real.publish(**message)


class FakeS3:
    """S3 that refuses to store."""

    def put_object(self, **_object: Any) -> Any:
        """Fail."""
        raise refusal("PutObject")


def refusal(operation: str) -> ClientError:
    """Return an error as botocore raises it when AWS throttles; its text quotes what a log must not show."""
    return ClientError({"Error": {"Code": "Throttling", "Message": "SECRET-BODY"}}, operation)
