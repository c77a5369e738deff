"""Structured logs, of the same shape as the Lambda functions'."""

import logging
import sys

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter


def log_to_stdout(level: str, *, runtime: str) -> None:
    """Write every logger's records to standard output, one JSON object a line."""
    handler = logging.StreamHandler(sys.stdout)
    formatter = LambdaPowertoolsFormatter(
        log_record_order=["level", "timestamp", "message"],
        utc=True,
        serialize_stacktrace=False,
    )
    formatter.append_keys(service="consumer", runtime=runtime)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Their debug and info lines hold headers, links and bodies.
    for name in ("boto3", "botocore", "urllib3", "s3transfer", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
