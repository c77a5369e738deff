"""What one runtime's tasks may do."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.core_stack import CoreStack
from infra.retention import CONTENT_PREFIX
from infra.settings import Runtime


def worker_role(
    scope: Construct,
    id_: str,
    *,
    core: CoreStack,
    runtime: Runtime,
    input_buckets: Sequence[str],
    cluster_name: str,
) -> iam.Role:
    """Return a role for exactly the queue, topic, table and buckets of this runtime."""
    role = iam.Role(scope, id_, assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))

    def allow(*actions: str, on: list[str]) -> None:
        role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=on))

    allow(
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:GetQueueAttributes",
        on=[core.tasks.queues[runtime.name].queue_arn],
    )
    # A message that is not ours goes there at once, with its body; the address is in the redrive policy.
    allow("sqs:SendMessage", "sqs:GetQueueUrl", on=[core.tasks.dead_letter_queues[runtime.name].queue_arn])
    allow("sns:Publish", on=[core.results.topic_arn])
    allow("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", on=[core.table.table.table_arn])
    # Delete: what a fence left that did not win. Get: an output may be the next task's input.
    allow("s3:PutObject", "s3:GetObject", "s3:DeleteObject", on=[core.output.arn_for_objects("*")])
    allow("s3:GetObject", on=[core.large_tasks.arn_for_objects(f"{CONTENT_PREFIX}*")])
    extra = [f"arn:{cdk.Aws.PARTITION}:s3:::{name}" for name in input_buckets]
    readable = [core.uploads.bucket_arn, core.models.bucket_arn, *extra]
    allow("s3:GetObject", on=[f"{arn}/*" for arn in readable])
    # Without it a missing object looks like a forbidden one.
    allow("s3:ListBucket", on=[core.output.bucket_arn, core.large_tasks.bucket_arn, *readable])
    tasks = cdk.Stack.of(scope).format_arn(service="ecs", resource="task", resource_name=f"{cluster_name}/*")
    allow("ecs:GetTaskProtection", "ecs:UpdateTaskProtection", on=[tasks])
    # X-Ray has no resources to name.
    allow("xray:PutTraceSegments", on=["*"])
    return role
