"""The resources that the alarms and the dashboard monitor."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from infra.function import Function


@dataclass(frozen=True, kw_only=True)
class Monitored:
    """The API, the functions, the logs, and the queues by the name of their runtime."""

    stack_name: str
    api: apigateway.RestApi
    access_log: logs.ILogGroup
    api_function: Function
    sweep: Function
    dead_letters: Function
    webhooks: Function
    queues: Mapping[str, sqs.IQueue]
