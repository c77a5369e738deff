"""The resources of the core stack that the compute stack uses."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs


@dataclass(frozen=True, kw_only=True)
class CoreResources:
    """Topics, table, buckets, and the queues by the name of their runtime."""

    task_topic: sns.ITopic
    queues: Mapping[str, sqs.IQueue]
    dead_letter_queues: Mapping[str, sqs.IQueue]
    result_topic: sns.ITopic
    table: dynamodb.ITable
    output_bucket: s3.IBucket
    upload_bucket: s3.IBucket
    large_task_bucket: s3.IBucket
    """For contents of tasks that are too large for an SNS message."""

    model_bucket: s3.IBucket
    alarm_topic: sns.ITopic
