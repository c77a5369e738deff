"""The IAM role of the ECS tasks that run the workers of one runtime.

ECS gives the role to all containers of an ECS task, so a compromised engine could do everything that the role
allows. Statements name the runtime's own resources wherever AWS supports that; where it does not, a comment
gives the reason.
"""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from adapters.listing import PENDING
from domain.keys import CONTENT_PREFIX, report_key, workers_partition
from infra.core.resources import CoreResources


def worker_role(
    scope: Construct,
    id_: str,
    *,
    core: CoreResources,
    runtime: str,
    model_keys: Sequence[str],
    input_buckets: Sequence[str],
    secrets: Sequence[str],
    kms_keys: Sequence[str],
    cluster_name: str,
) -> iam.Role:
    """Return a role for exactly the queue, topic, table and buckets of this runtime."""
    stack = cdk.Stack.of(scope)
    # The form that the ECS developer guide gives for task roles; no ARN narrower than the account's is
    # possible.
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
        on=[core.queues[runtime].queue_arn],
    )
    # The consumer moves messages that are not valid tasks to this queue at once.
    allow("sqs:SendMessage", "sqs:GetQueueUrl", on=[core.dead_letter_queues[runtime].queue_arn])
    # SNS has no condition for message attributes, so each runtime's workers may publish any outcome.
    allow("sns:Publish", on=[core.result_topic.topic_arn])
    # `dynamodb:LeadingKeys` cannot restrict access to a runtime, because a row's key is the id that the
    # caller chose.
    allow("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", on=[core.table.table_arn])
    # Workers count each other in this index, and see no image task in it.
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["dynamodb:Query"],
            resources=[f"{core.table.table_arn}/index/{PENDING}"],
            conditions={
                "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [workers_partition(runtime)]},
            },
        )
    )
    # Delete is for orphaned objects; Get is needed because an output may be the next task's input. All keys
    # are allowed because callers choose the prefix, and S3 has no condition for who wrote the object to
    # delete.
    allow("s3:PutObject", "s3:GetObject", "s3:DeleteObject", on=[core.output_bucket.arn_for_objects("*")])
    allow("s3:GetObject", on=[core.large_task_bucket.arn_for_objects(f"{CONTENT_PREFIX}*")])
    allow("s3:PutObject", on=[core.large_task_bucket.arn_for_objects(report_key(runtime))])
    # Only the model folders: with `modelBucketArn` the bucket is not ours and may contain more than models.
    allow("s3:GetObject", on=[core.model_bucket.arn_for_objects(key) for key in model_keys])
    extra_arns = [f"arn:{cdk.Aws.PARTITION}:s3:::{name}" for name in input_buckets]
    readable_arns = [core.upload_bucket.bucket_arn, *extra_arns]
    allow("s3:GetObject", on=[f"{arn}/*" for arn in readable_arns])
    if secrets:
        allow("secretsmanager:GetSecretValue", on=[_secret_arn(stack, name) for name in secrets])
    if kms_keys:
        _allow_decryption(role, kms_keys)
    # Without this permission, S3 answers 403 instead of 404 for a missing object; so it does with a condition
    # on `s3:prefix`, which is why there is none.
    allow(
        "s3:ListBucket",
        on=[
            core.output_bucket.bucket_arn,
            core.large_task_bucket.bucket_arn,
            core.model_bucket.bucket_arn,
            *readable_arns,
        ],
    )
    ecs_tasks = stack.format_arn(service="ecs", resource="task", resource_name=f"{cluster_name}/*")
    allow("ecs:GetTaskProtection", "ecs:UpdateTaskProtection", on=[ecs_tasks])
    # X-Ray has no resource ARNs.
    allow("xray:PutTraceSegments", on=["*"])
    return role


def _allow_decryption(role: iam.Role, keys: Sequence[str]) -> None:
    """Allow decryption of what S3 and Secrets Manager have encrypted, and of nothing else."""
    services = [f"{service}.{cdk.Aws.REGION}.amazonaws.com" for service in ("s3", "secretsmanager")]
    conditions = {"StringEquals": {"kms:ViaService": services}}
    statement = iam.PolicyStatement(actions=["kms:Decrypt"], resources=list(keys), conditions=conditions)
    role.add_to_policy(statement)


def _secret_arn(stack: cdk.Stack, secret: str) -> str:
    """Return the ARN of a secret that is given by name or ARN."""
    if secret.startswith("arn:"):
        return secret
    # Secrets Manager appends a hyphen and six random characters to the name.
    return stack.format_arn(
        service="secretsmanager",
        resource="secret",
        resource_name=f"{secret}-??????",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
