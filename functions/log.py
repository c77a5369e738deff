"""Logging of the functions: names and codes, but no content of requests and no secrets.

API Gateway's event contains the API key (`identity.apiKey`), presigned links grant access, and the text of an
exception may quote the request. Events are therefore never logged, and exceptions only by type and place.
"""

import traceback
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from domain.row import Row

logger = Logger()
"""The structured logger; POWERTOOLS_SERVICE_NAME and LOG_LEVEL set its service and level."""


def log_fields(row: Row) -> dict[str, str]:
    """Return the fields that identify a task in the logs of all components."""
    return {"task_id": row.id, "submission_id": row.submission_id, "runtime": row.runtime}


def error_fields(error: BaseException) -> dict[str, Any]:
    """Return type and place of an exception without its text, and operation and code of an AWS error."""
    frames = traceback.extract_tb(error.__traceback__)
    found: dict[str, Any] = {
        "error_type": type(error).__name__,
        "error_at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]],
    }
    if isinstance(error, ClientError):
        found["aws_operation"] = error.operation_name
        found["aws_code"] = error.response.get("Error", {}).get("Code")
    return found
