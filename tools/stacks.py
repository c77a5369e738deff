"""Read the outputs of deployed CloudFormation stacks."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

# States in which a stack has its resources; in others, such as ROLLBACK_COMPLETE, it was never created.
_EXISTING_STATES = ("CREATE_COMPLETE", "UPDATE_", "IMPORT_", "DELETE_")


def stack_outputs(cloudformation: "CloudFormationClient", name: str) -> dict[str, str]:
    """Return the outputs of a stack by name; none if there is no such stack."""
    try:
        (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return {}
    if not stack["StackStatus"].startswith(_EXISTING_STATES):
        return {}
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
