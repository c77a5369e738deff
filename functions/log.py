"""What the functions log: names and codes, never what a caller sent or may not show.

API Gateway's event carries the API key itself (`identity.apiKey`), presigned links are keys too, and an
exception's text may quote the request; so events are never logged, and exceptions by type and place.
"""

import traceback
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from domain.row import Row

logger = Logger()
"""Structured; its service and level come from POWERTOOLS_SERVICE_NAME and LOG_LEVEL."""


def about(row: Row) -> dict[str, str]:
    """Return the fields by which a task is found in the logs of all its parts."""
    return {"task_id": row.id, "submission_id": row.submission_id, "runtime": row.runtime}


def about_error(error: BaseException) -> dict[str, Any]:
    """Return type and place of an exception without its text; for AWS's own, operation and code."""
    frames = traceback.extract_tb(error.__traceback__)
    found: dict[str, Any] = {
        "error_type": type(error).__name__,
        "error_at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]],
    }
    if isinstance(error, ClientError):
        found["aws_operation"] = error.operation_name
        found["aws_code"] = error.response.get("Error", {}).get("Code")
    return found
