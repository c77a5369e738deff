"""The resources of the core stack that the compute stack uses."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The topics, queues (by runtime), table and buckets between the API and the workers."""

    tasks: sns.ITopic
    queues: Mapping[str, sqs.IQueue]
    dead_letter_queues: Mapping[str, sqs.IQueue]
    results: sns.ITopic
    table: dynamodb.ITable
    output: s3.IBucket
    uploads: s3.IBucket
    large_tasks: s3.IBucket
    models: s3.IBucket
    alarms: sns.ITopic
    """The topic that alarms are sent to."""
