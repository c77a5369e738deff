"""Read the logs of the Lambdas from the emulator's CloudWatch Logs."""

from collections.abc import Iterator
from typing import Any

from local.emulator import Emulator


class FunctionLogs:
    """Follows all log groups of the emulator."""

    def __init__(self, aws: Emulator) -> None:
        self._logs = aws.client("logs")
        # By log group: the time of the latest event (Unix milliseconds), and the events of that millisecond.
        self._latest: dict[str, int] = {}
        self._seen: dict[str, set[str]] = {}

    def new_lines(self) -> Iterator[str]:
        """Yield the lines that were logged since the last call, each line once."""
        for page in self._logs.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                yield from self._new_lines_of(group["logGroupName"])

    def _new_lines_of(self, group: str) -> Iterator[str]:
        # Starts with the last millisecond again, because more events with the same time may have arrived.
        start, seen = self._latest.get(group, 0), self._seen.setdefault(group, set())
        pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=start)
        for event in (event for page in pages for event in page["events"]):
            key = _event_key(event)
            if key in seen:
                continue
            if event["timestamp"] > self._latest.get(group, 0):
                self._latest[group] = event["timestamp"]
                seen.clear()
            seen.add(key)
            yield from event["message"].splitlines()


def _event_key(event: Any) -> str:
    return f"{event['timestamp']} {event.get('logStreamName')} {event['message']}"
