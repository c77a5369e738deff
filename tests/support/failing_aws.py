"""AWS clients that fail when a test wants it."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError


class FakeSns:
    """Publishes through the emulator except to topics that are down, and records the calls."""

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
    """S3 that refuses to store objects."""

    def put_object(self, **_object: Any) -> Any:
        """Fail."""
        raise refusal("PutObject")


class FaultyClients:
    """AWS clients with operations that raise unexpected exceptions, from a time that a test chooses."""

    def __init__(self) -> None:
        self.broken: set[str] = set()

    def clients(self, make: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that creates clients as `make` does."""
        return lambda *arguments, **options: _Faulty(make(*arguments, **options), self.broken)


class _Faulty:
    def __init__(self, real: Any, broken: set[str]) -> None:
        self._real = real
        self._broken = broken

    def __getattr__(self, name: str) -> Any:
        if name in self._broken:
            raise LookupError("broken on purpose")
        return getattr(self._real, name)


def refusal(operation: str) -> ClientError:
    """Return botocore's error for throttling, with a text that no log may contain."""
    return ClientError({"Error": {"Code": "Throttling", "Message": "SECRET-BODY"}}, operation)
