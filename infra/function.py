"""Common configuration of all Lambda functions, and the retention of logs."""

from collections.abc import Mapping
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings.deployment import Settings

# SnapStart is available in all commercial regions but two (Lambda developer guide, "Supported Regions");
# China and GovCloud are not commercial regions. The functions start without it there.
_WITHOUT_SNAP_START: Final = ("cn-", "us-gov-", "us-iso", "eusc-", "ap-east-2", "ap-southeast-6")


def has_snap_start(region: str) -> bool:
    """Return whether a region offers SnapStart."""
    return not region.startswith(_WITHOUT_SNAP_START)


_Days = logs.RetentionDays
_RETENTIONS: Final = {
    1: _Days.ONE_DAY,
    3: _Days.THREE_DAYS,
    5: _Days.FIVE_DAYS,
    7: _Days.ONE_WEEK,
    14: _Days.TWO_WEEKS,
    30: _Days.ONE_MONTH,
    60: _Days.TWO_MONTHS,
    90: _Days.THREE_MONTHS,
    120: _Days.FOUR_MONTHS,
    150: _Days.FIVE_MONTHS,
    180: _Days.SIX_MONTHS,
    365: _Days.ONE_YEAR,
    400: _Days.THIRTEEN_MONTHS,
    545: _Days.EIGHTEEN_MONTHS,
    731: _Days.TWO_YEARS,
}


def log_retention(settings: Settings) -> logs.RetentionDays:
    """Return the log retention in the settings as the CDK's enumeration value."""
    return _RETENTIONS[settings.log_retention_days]


class Function(Construct):
    """A Lambda function with its own role and log group and the common environment.

    `entry` receives events: the alias of a published version if SnapStart is requested and available,
    otherwise the function itself.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        code: lambda_.Code,
        handler: str,
        environment: Mapping[str, str],
        timeout_seconds: int,
        log_level: str,
        log_retention: logs.RetentionDays,
        memory_mib: int = 512,
        snap_start: bool = False,
        reserved_concurrency: int | None = None,
        tracing: bool = True,
    ) -> None:
        super().__init__(scope, id_)
        self.log_group = log_group = logs.LogGroup(
            self, "Logs", retention=log_retention, removal_policy=cdk.RemovalPolicy.DESTROY
        )
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        snap_start = snap_start and has_snap_start(cdk.Stack.of(self).region)
        self.function = lambda_.Function(
            self,
            "Function",
            code=code,
            handler=handler,
            # The newest Python that both the CDK and the emulator support; arm64 costs a fifth less for the
            # same work.
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=memory_mib,
            timeout=cdk.Duration.seconds(timeout_seconds),
            environment={
                **environment,
                "POWERTOOLS_SERVICE_NAME": handler.split(".")[1],
                "LOG_LEVEL": log_level,
            },
            role=role,
            log_group=log_group,
            tracing=lambda_.Tracing.ACTIVE if tracing else lambda_.Tracing.DISABLED,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if snap_start else None,
            reserved_concurrent_executions=reserved_concurrency,
        )
        if snap_start:
            cdk.Annotations.of(self.function).acknowledge_warning(
                "@aws-cdk/aws-lambda:snapStartRequirePublish", "the alias below publishes a version"
            )
        self.entry: lambda_.IFunction = (
            lambda_.Alias(self, "Live", alias_name="live", version=self.function.current_version)
            if snap_start
            else self.function
        )

    def allow(
        self, *actions: str, on: str | list[str], if_like: Mapping[str, list[str]] | None = None
    ) -> None:
        """Allow the actions on the resources only, under the StringLike conditions in `if_like`."""
        resources = [on] if isinstance(on, str) else on
        conditions = {"StringLike": dict(if_like)} if if_like else None
        self.function.add_to_role_policy(
            iam.PolicyStatement(actions=list(actions), resources=resources, conditions=conditions)
        )
