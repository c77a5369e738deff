"""boto3 clients for the Lambda functions."""

import os
from typing import Any, Final, Literal

import boto3
from botocore.config import Config

_CONFIG: Final = Config(
    # A call including its retries must fail well before API Gateway gives up on the request (29 s).
    connect_timeout=2,
    read_timeout=6,
    retries={"mode": "standard", "total_max_attempts": 3},
)


def client(service: str) -> Any:
    """Create a client; the one for S3 makes presigned links that work in the bucket's own region."""
    if service != "s3":
        return boto3.client(service, config=_CONFIG)
    # Without "virtual", presigned links use S3's global endpoint, which redirects and so breaks the signature
    # in every region but one. A custom endpoint, such as the emulator's, does not support such names.
    style: Literal["path", "virtual"] = "path" if os.environ.get("AWS_ENDPOINT_URL") else "virtual"
    own = Config(signature_version="s3v4", s3={"addressing_style": style})
    return boto3.client("s3", config=_CONFIG.merge(own))
