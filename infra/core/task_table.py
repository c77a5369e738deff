"""The table that holds the state of every task."""

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from adapters.listing import BY_RUNTIME_STATUS, PENDING

# What a list shows. Neither progress nor lease: a heartbeat would then be written twice.
_LISTED: Final = [
    "status",
    "runtime",
    "tasktype",
    "submission_id",
    "submitted_at",
    "published_at",
    "started_at",
    "finished_at",
]


class TaskTable(Construct):
    """One row a task, with an index of tasks by runtime and status and one of what is owed."""

    def __init__(self, scope: Construct, id_: str) -> None:
        super().__init__(scope, id_)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expires_at",
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            encryption=dynamodb.TableEncryption.DEFAULT,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        self.table.add_global_secondary_index(
            index_name=BY_RUNTIME_STATUS,
            partition_key=dynamodb.Attribute(name="runtime_status", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="submitted_at_id", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=_LISTED,
        )
        # Sparse: a row is in it from submit to published and from outcome to callback, most for milliseconds.
        self.table.add_global_secondary_index(
            index_name=PENDING,
            partition_key=dynamodb.Attribute(name="pending_runtime", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="pending_since", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )

    @property
    def index_arns(self) -> list[str]:
        """The indexes, as a policy names them."""
        return [f"{self.table.table_arn}/index/{name}" for name in (BY_RUNTIME_STATUS, PENDING)]
