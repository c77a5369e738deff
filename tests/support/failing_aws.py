"""AWS clients whose calls fail when a test says so."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError


class FakeSns:
    """Publishes with `client`, except to the topics in `failing_topics`; records all calls."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.failing_topics: set[str] = set()
        self.published_to: list[str] = []
        """The ARN of each call's topic, also of calls that failed."""

    def publish(self, **message: Any) -> Any:
        self.published_to.append(message["TopicArn"])
        if message["TopicArn"] in self.failing_topics:
            raise throttling_error("Publish")
        return self._client.publish(**message)


class FakeS3:
    """An S3 client that cannot store objects."""

    def put_object(self, **_object: Any) -> Any:
        raise throttling_error("PutObject")


class FaultyClients:
    """AWS clients whose methods raise an unexpected exception once a test adds them to `broken_methods`."""

    def __init__(self) -> None:
        self.broken_methods: set[str] = set()

    def clients(self, create_client: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function that creates clients, so that the clients' methods can be broken."""
        return lambda *arguments, **options: _Faulty(
            create_client(*arguments, **options), self.broken_methods
        )


class _Faulty:
    def __init__(self, client: Any, broken_methods: set[str]) -> None:
        self._client = client
        self._broken_methods = broken_methods

    def __getattr__(self, name: str) -> Any:
        if name in self._broken_methods:
            raise LookupError("broken on purpose")
        return getattr(self._client, name)


def throttling_error(operation: str) -> ClientError:
    """Return botocore's error for throttling, with a text that no log may contain."""
    return ClientError({"Error": {"Code": "Throttling", "Message": "SECRET-BODY"}}, operation)
