"""Names of resources that one stack refers to before the other stack has created them."""

from typing import Final

WORKER_ALARM_KINDS: Final = ("FailureShare", "NoConsumer")
"""Alarms of the compute stack (`infra.monitoring.worker_alarms`) that the dashboard shows too."""


def alarm_name(stack_name: str, kind: str, runtime: str | None = None) -> str:
    """Return the name of an alarm: stack, kind, and the runtime if it belongs to one."""
    return "-".join(filter(None, (stack_name, kind, runtime)))


def worker_log_group_name(stack_name: str, runtime: str) -> str:
    """Return the name of the log group of a runtime's workers."""
    return f"/sd-on-ecs/{stack_name}/{runtime}"
