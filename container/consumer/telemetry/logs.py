"""Structured logs in the same format as those of the Lambda functions."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from container.consumer.job import Job
from container.consumer.telemetry.xray import trace_header

METRICS_LOGGER: Final = "metrics"
"""The logger of metrics. CloudWatch reads its lines, so they are printed unchanged, whatever LOG_LEVEL is."""

_NO_TASK: Final[Mapping[str, str]] = {}
_task_fields: ContextVar[Mapping[str, str]] = ContextVar("task_fields", default=_NO_TASK)


def log_fields(job: Job) -> dict[str, str]:
    """Return the fields that identify a task in the logs of all components."""
    fields = {"task_id": job.id, "submission_id": job.row.submission_id}
    trace_id = trace_header(job).get("Root")
    return fields | ({"xray_trace_id": trace_id} if trace_id else {})


@contextmanager
def logging_about(job: Job) -> Iterator[None]:
    """Add the task's fields to every line that this thread logs inside the block."""
    token = _task_fields.set(log_fields(job))
    try:
        yield
    finally:
        _task_fields.reset(token)


def log_to_stdout(level: str, *, runtime: str) -> None:
    """Write the records of all loggers to standard output, one JSON object per line."""
    handler = logging.StreamHandler(sys.stdout)
    formatter = _Formatter(
        log_record_order=["level", "timestamp", "message"],
        utc=True,
        serialize_stacktrace=False,
    )
    formatter.append_keys(service="consumer", runtime=runtime)
    handler.setFormatter(formatter)
    handler.addFilter(_add_task_fields)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger(METRICS_LOGGER).setLevel(logging.INFO)
    # These libraries log headers, links and bodies, which may be secret, at the levels debug and info.
    for name in ("boto3", "botocore", "urllib3", "s3transfer", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Formatter(LambdaPowertoolsFormatter):
    def format(self, record: logging.LogRecord) -> str:
        if record.name == METRICS_LOGGER:
            return record.getMessage()
        return super().format(record)


def _add_task_fields(record: logging.LogRecord) -> bool:
    for name, value in _task_fields.get().items():
        record.__dict__.setdefault(name, value)
    return True
