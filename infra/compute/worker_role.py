"""What one runtime's tasks may do.

ECS gives the role to the task, so SD Web UI's container has it as the consumer's does: what stands here is
also what a Web UI that was taken over could do. A statement names the runtime's own resources wherever AWS
has a name for them; where it has not, the reason stands beside it.
"""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from domain.keys import CONTENT_PREFIX
from infra.core.pipeline import Pipeline


def worker_role(
    scope: Construct,
    id_: str,
    *,
    pipeline: Pipeline,
    runtime: str,
    model_folders: Sequence[str],
    input_buckets: Sequence[str],
    cluster_name: str,
) -> iam.Role:
    """Return a role for exactly the queue, topic, table and buckets of this runtime."""
    stack = cdk.Stack.of(scope)
    # The form that the ECS developer guide gives for task roles; it knows no narrower ARN than the account's.
    principal = iam.ServicePrincipal(
        "ecs-tasks.amazonaws.com",
        conditions={
            "StringEquals": {"aws:SourceAccount": stack.account},
            "ArnLike": {
                "aws:SourceArn": f"arn:{stack.partition}:ecs:{stack.region}:{stack.account}:*",
            },
        },
    )
    role = iam.Role(scope, id_, assumed_by=principal)

    def allow(*actions: str, on: list[str]) -> None:
        role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=on))

    allow(
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:GetQueueAttributes",
        on=[pipeline.queues[runtime].queue_arn],
    )
    # A message that is not ours goes there at once, with its body; the address is in the redrive policy.
    allow("sqs:SendMessage", "sqs:GetQueueUrl", on=[pipeline.dead_letter_queues[runtime].queue_arn])
    # SNS has no condition for a message's attributes: each runtime's workers may publish any outcome.
    allow("sns:Publish", on=[pipeline.results.topic_arn])
    # `dynamodb:LeadingKeys` cannot name a runtime: a row's key is the id that the caller chose.
    allow("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", on=[pipeline.table.table_arn])
    # Delete: what a fence left that did not win. Get: an output may be the next task's input. All keys, since
    # callers choose the prefix, and S3 has no condition for who wrote the object that is to be deleted.
    allow("s3:PutObject", "s3:GetObject", "s3:DeleteObject", on=[pipeline.output.arn_for_objects("*")])
    allow("s3:GetObject", on=[pipeline.large_tasks.arn_for_objects(f"{CONTENT_PREFIX}*")])
    # Not the whole bucket: with `modelBucketArn` it is somebody's own, and may hold more than models.
    allow("s3:GetObject", on=[pipeline.models.arn_for_objects(f"{name}/*") for name in model_folders])
    extra = [f"arn:{cdk.Aws.PARTITION}:s3:::{name}" for name in input_buckets]
    readable = [pipeline.uploads.bucket_arn, *extra]
    allow("s3:GetObject", on=[f"{arn}/*" for arn in readable])
    # Without it a missing object looks like a forbidden one; with a condition on `s3:prefix` it does so too.
    allow(
        "s3:ListBucket",
        on=[
            pipeline.output.bucket_arn,
            pipeline.large_tasks.bucket_arn,
            pipeline.models.bucket_arn,
            *readable,
        ],
    )
    tasks = stack.format_arn(service="ecs", resource="task", resource_name=f"{cluster_name}/*")
    allow("ecs:GetTaskProtection", "ecs:UpdateTaskProtection", on=[tasks])
    # X-Ray has no resources to name.
    allow("xray:PutTraceSegments", on=["*"])
    return role
