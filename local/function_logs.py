"""Read the logs of the Lambdas from the emulator's CloudWatch Logs."""

from collections.abc import Iterator
from typing import Any

from local.emulator import Emulator


class FunctionLogs:
    """Follows all log groups; each line is returned once."""

    def __init__(self, aws: Emulator) -> None:
        self._logs = aws.client("logs")
        self._since: dict[str, int] = {}
        self._seen: dict[str, set[str]] = {}

    def new_lines(self) -> Iterator[str]:
        """Yield the lines that were logged since the last call."""
        for page in self._logs.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                yield from self._of(group["logGroupName"])

    def _of(self, group: str) -> Iterator[str]:
        # Reads the last millisecond again, because its events may be spread over two calls.
        since, seen = self._since.get(group, 0), self._seen.setdefault(group, set())
        pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
        for event in (event for page in pages for event in page["events"]):
            name = _name(event)
            if name in seen:
                continue
            if event["timestamp"] > self._since.get(group, 0):
                self._since[group] = event["timestamp"]
                seen.clear()
            seen.add(name)
            yield from event["message"].splitlines()


def _name(event: Any) -> str:
    return f"{event['timestamp']} {event.get('logStreamName')} {event['message']}"
