"""boto3 clients as the functions use them."""

import os
from typing import Any, Final, Literal

import boto3
from botocore.config import Config

_CONFIG: Final = Config(
    # A call must fail well before API Gateway gives up on the request (29 s), its retries included.
    connect_timeout=2,
    read_timeout=6,
    retries={"mode": "standard", "total_max_attempts": 3},
)


def client(service: str) -> Any:
    """Return a client; S3's makes links that the bucket's own region accepts."""
    if service != "s3":
        return boto3.client(service, config=_CONFIG)
    # Without "virtual", presigned links name S3's global endpoint, which redirects and so breaks the
    # signature in every region but one. An endpoint of one's own (the emulator's) has no such names.
    style: Literal["path", "virtual"] = "path" if os.environ.get("AWS_ENDPOINT_URL") else "virtual"
    own = Config(signature_version="s3v4", s3={"addressing_style": style})
    return boto3.client("s3", config=_CONFIG.merge(own))
