"""The table with the state of every task."""

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from adapters.listing import BY_RUNTIME_STATUS, PENDING

# The attributes that a list shows. Progress and lease are left out, so that a heartbeat does not write the
# index too.
_LIST_ATTRIBUTES: Final = [
    "status",
    "runtime",
    "tasktype",
    "submission_id",
    "submitted_at",
    "published_at",
    "started_at",
    "finished_at",
    "cost",
    "cost_kind",
]

# What workers write about themselves. Rows of tasks have none of it.
_WORKER_ATTRIBUTES: Final = ["speeds", "start_seconds", "starting_since"]


class TaskTable(Construct):
    """One row per image task, an index by runtime and status, and one of unsent messages and callbacks."""

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
            # Kept with the stack's data, but not when the first deployment fails.
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        self.table.add_global_secondary_index(
            index_name=BY_RUNTIME_STATUS,
            partition_key=dynamodb.Attribute(name="runtime_status", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="submitted_at_id", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=_LIST_ATTRIBUTES,
        )
        # Sparse: it contains a row from submit until it is published and from outcome until its callback is
        # sent, usually for milliseconds.
        self.table.add_global_secondary_index(
            index_name=PENDING,
            partition_key=dynamodb.Attribute(name="pending_runtime", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="pending_since", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=_WORKER_ATTRIBUTES,
        )

    @property
    def index_arns(self) -> list[str]:
        """Return the ARNs of the indexes, for policies."""
        return [f"{self.table.table_arn}/index/{name}" for name in (BY_RUNTIME_STATUS, PENDING)]
