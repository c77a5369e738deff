"""Findings of cdk-nag's AwsSolutions rules that are accepted on purpose, each with a reason."""

import json
from collections.abc import Iterator
from typing import Any, Final

import aws_cdk as cdk
import constructs
import jsii
from aws_cdk import aws_iam as iam

# Actions without resources in IAM: AWS supports nothing narrower than `*`.
_ACTIONS_WITHOUT_RESOURCES: Final = {
    "ecr:GetAuthorizationToken": "A token for the account's registry; repositories are in another statement",
    "logs:DescribeLogGroups": "ECS Exec looks up its log group; write access is in another statement",
    "ssmmessages:CreateControlChannel": "ECS Exec (`enableExecuteCommand`); Session Manager has no resources",
    "ssmmessages:CreateDataChannel": "ECS Exec (`enableExecuteCommand`); Session Manager has no resources",
    "ssmmessages:OpenControlChannel": "ECS Exec (`enableExecuteCommand`); Session Manager has no resources",
    "ssmmessages:OpenDataChannel": "ECS Exec (`enableExecuteCommand`); Session Manager has no resources",
    "xray:PutTraceSegments": "X-Ray has no resources",
    "xray:PutTelemetryRecords": "X-Ray has no resources",
}

_ACKNOWLEDGED: Final = {
    "AwsSolutions-S1": "Logging every access to objects is decided per account (CloudTrail data events)",
    "AwsSolutions-SQS3": "This queue is the dead-letter queue of subscriptions, which the rule cannot see",
    "AwsSolutions-APIG3": "Bodies are images and prompts, which WAF's common rules block above 8 KB; "
    "whether to use a web ACL is decided per account",
    "AwsSolutions-APIG2": "The Lambda validates the request and reports all its faults in one response",
    "AwsSolutions-APIG4": "Every method asks for an API key of the usage plan; callers are programs",
    "AwsSolutions-COG4": "Every method asks for an API key of the usage plan; callers are programs",
    "AwsSolutions-EC28": "The NAT instance forwards packets; the basic metrics of five minutes are enough",
    "AwsSolutions-EC29": "The NAT instance has no state; it is replaced with its stack",
    "AwsSolutions-EC26": "The NAT instance's disk holds the operating system only",
    "AwsSolutions-VPC7": "There is no ingress rule; whether to keep flow logs is decided per account",
    "AwsSolutions-SMG4": "Receivers must learn a new secret, so an operator rotates it when they can",
    "AwsSolutions-ECS4": "Nothing reads its metrics, which cost about $5 a month: workers report their own",
    "AwsSolutions-ECS2": "The environment names queues, buckets and models; there is no secret in it",
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/"
    "AmazonECSInstanceRolePolicyForManagedInstances]": "AWS maintains it for the agent that needs it",
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/"
    "AmazonECSInfrastructureRolePolicyForManagedInstances]": "AWS maintains it for the service that needs it",
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
    "AmazonAPIGatewayPushToCloudWatchLogs]": "AWS documents it for the role that writes API Gateway's logs",
}


def acknowledge_findings(stack: cdk.Stack) -> None:
    """Acknowledge the findings listed above, and fail the synthesis on any other wildcard in a policy."""
    reasons = [cdk.Acknowledgment(id=id_, reason=reason) for id_, reason in _ACKNOWLEDGED.items()]
    cdk.Validations.of(stack).acknowledge(*reasons)
    stack.node.add_validation(_WildcardCheck(stack))


@jsii.implements(constructs.IValidation)
class _WildcardCheck:
    """Checks policies at validation, when references between stacks are resolved as in the template."""

    def __init__(self, stack: cdk.Stack) -> None:
        self._stack = stack

    def validate(self) -> list[str]:
        """Return one line for each wildcard without a reason."""
        errors = []
        for policy in self._stack.node.find_all():
            if isinstance(policy, iam.CfnPolicy):
                for resource, actions in _find_wildcards(self._stack.resolve(policy.policy_document)):
                    reason = _reason_for(resource, actions)
                    if reason is None:
                        errors.append(
                            f"{policy.node.path}: no reason is given for {', '.join(actions)} on {resource}"
                        )
                        continue
                    finding = f"AwsSolutions-IAM5[Resource::{resource}]"
                    cdk.Validations.of(policy).acknowledge(cdk.Acknowledgment(id=finding, reason=reason))
        return errors


def _find_wildcards(document: Any) -> Iterator[tuple[str, list[str]]]:
    for statement in document["Statement"]:
        resources, actions = statement["Resource"], statement["Action"]
        for resource in resources if isinstance(resources, list) else [resources]:
            text = _format_resource(resource)
            if "*" in text:
                yield text, actions if isinstance(actions, list) else [actions]


def _reason_for(resource: str, actions: list[str]) -> str | None:
    if resource == "*":
        reasons = {_ACTIONS_WITHOUT_RESOURCES.get(action) for action in actions}
        return None if None in reasons else "; ".join(sorted(filter(None, reasons)))
    if ":task/" in resource and resource.endswith("/*"):
        return "An ECS task protects itself, and its id is not known before; the cluster has no other use"
    if ":log-group:" in resource and resource.endswith(":*"):
        return "The streams of one log group; ECS Exec chooses their names when a session starts"
    if resource.endswith("/*") and all(action.startswith("s3:") for action in actions):
        return "The objects of one named bucket; callers choose the keys"
    return None


def _format_resource(resource: Any) -> str:
    """Format a resource as cdk-nag does in its findings."""
    match resource:
        case str():
            return resource
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_format_resource(part) for part in parts)
        case _:
            return json.dumps(resource, separators=(",", ":"))
