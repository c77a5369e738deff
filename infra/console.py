"""Addresses in AWS's console."""

from typing import Final

import aws_cdk as cdk

_CHINA: Final = "cn-"


def console_url(stack: cdk.Stack, page: str) -> str:
    """Return the address of one of CloudWatch's pages."""
    region = stack.region
    host = "console.amazonaws.cn" if region.startswith(_CHINA) else f"{region}.console.aws.amazon.com"
    return f"https://{host}/cloudwatch/home?region={region}#{page}"


def log_link(stack: cdk.Stack, log_group_name: str) -> str:
    """Return the address of a log group; the console wants its slashes escaped twice."""
    return console_url(stack, f"logsV2:log-groups/log-group/{log_group_name.replace('/', '$252F')}")
