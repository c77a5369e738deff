"""The IAM role with which ECS launches GPU instances, and the role that the instances have."""

import hashlib
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

# `ecsInstanceRole-`, this many characters, a hyphen and the longest name of a region fit into a role's name.
_NAME_CHARACTERS: Final = 24
_DIGEST_CHARACTERS: Final = 8


class InstanceRoles(Construct):
    """The role that ECS assumes to manage instances (`infrastructure`), and the instances' profile."""

    def __init__(self, scope: Construct, id_: str, *, deployment: str) -> None:
        super().__init__(scope, id_)
        instance_role = iam.Role(
            self,
            "Instance",
            # AWS's infrastructure policy can pass roles with this name prefix only.
            role_name=f"ecsInstanceRole-{_shorten(deployment)}-{cdk.Stack.of(self).region}",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            managed_policies=[_aws_policy("AmazonECSInstanceRolePolicyForManagedInstances")],
        )
        self.profile = iam.InstanceProfile(self, "Profile", role=instance_role)
        self.infrastructure = iam.Role(
            self,
            "Infrastructure",
            assumed_by=iam.ServicePrincipal("ecs.amazonaws.com"),
            managed_policies=[_aws_policy("AmazonECSInfrastructureRolePolicyForManagedInstances")],
        )


def _aws_policy(name: str) -> iam.IManagedPolicy:
    return iam.ManagedPolicy.from_aws_managed_policy_name(name)


def _shorten(name: str) -> str:
    """Return a name of at most 24 characters, with a hash in place of what is cut, so that none collide."""
    if len(name) <= _NAME_CHARACTERS:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{name[: _NAME_CHARACTERS - _DIGEST_CHARACTERS - 1]}-{digest}"
