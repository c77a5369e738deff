"""The CDK app. Only this file reads the account, the region and the path of the settings."""

import os
import sys
from pathlib import Path

import infra  # noqa: F401 - before the CDK, because it says which of jsii's warnings to print

# isort: split
import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from infra.acknowledged import acknowledge_findings
from infra.compute.stack import ComputeStack, NoManagedInstancesError, refuse_without_managed_instances
from infra.core.stack import CoreStack
from infra.settings.reading import InvalidConfigError, load

CONFIG_PATH = Path(os.environ.get("CDK_CONFIG_PATH") or Path(__file__).parent / "config.yaml")

try:
    settings, notices = load(CONFIG_PATH)
except InvalidConfigError as error:
    sys.exit(str(error))
for notice in notices:
    sys.stderr.write(f"{CONFIG_PATH.name}: {notice}\n")

app = cdk.App()
environment = cdk.Environment(
    account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")
)
core = CoreStack(app, "Core", stack_name=settings.stack_name, settings=settings, env=environment)

# `-c coreOnly=true` is for the emulator, which has no GPUs; it halves the time of a synthesis.
if app.node.try_get_context("coreOnly") != "true":
    acknowledge_findings(core)
    for key, looked_up, found in (
        ("vpcId", settings.network.vpc_id, "the VPC"),
        ("nat", settings.network.nat == "instance", "the NAT instance's image"),
    ):
        if looked_up and not (environment.account and environment.region):
            sys.exit(
                f"network.{key}: to look up {found}, set credentials and a region (or leave the key out)"
            )
    try:
        refuse_without_managed_instances(environment.region)
    except NoManagedInstancesError as refusal:
        sys.stderr.write(f"{refusal}\n")
    else:
        name = f"{settings.stack_name}-compute"
        compute = ComputeStack(
            app, "Compute", stack_name=name, settings=settings, core=core.resources, env=environment
        )
        acknowledge_findings(compute)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
app.synth()
