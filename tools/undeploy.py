"""Take a deployment down in the order that works: `make undeploy`, `python -m tools.undeploy --help`."""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from infra.compute.scaler import SCALER_TIMEOUT_SECONDS
from infra.settings.reading import InvalidConfigError, load
from tools.cdk import ROOT, Cdk, StepFailed, cdk_of
from tools.deploy import progress
from tools.preflight.__main__ import account_of
from tools.preflight.finding import Account
from tools.services import Services

# An instance leaves 1 to 8 minutes after its last task; a task may work for as long as its protection.
DRAIN_SECONDS: Final = 3600.0
POLL_SECONDS: Final = 15.0
# A check that has begun may still set a desired count until its function times out.
SCALER_SECONDS: Final = float(SCALER_TIMEOUT_SECONDS)
STEPS: Final = 5


@dataclass(kw_only=True)
class Removal:
    """The steps of a removal; each can be repeated."""

    account: Account
    cdk: Cdk
    say: Callable[[str], None]
    wait: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def run(self) -> None:
        """Remove both stacks; buckets and the table are retained."""
        retained = list(self.retained_resources())
        services = Services.of(self.account)
        self.close_api()
        if services is not None:
            self.stop_services(services)
            self.wait_until_drained(services)
            self.say(f"[4/{STEPS}] the compute stack")
            self.cdk("destroy", "Compute", "--force")
        self.say(f"[5/{STEPS}] the core stack")
        self.cdk("destroy", "Core", "--force")
        for line in retained:
            self.say(line)

    def unfinished_task_counts(self) -> dict[str, int]:
        """Return how many tasks wait or run, by runtime."""
        queues: dict[str, str] = json.loads(self.account.outputs.get("TaskQueues", "{}"))
        names: tuple[Any, ...] = ("", "NotVisible", "Delayed")
        attributes = [f"ApproximateNumberOfMessages{name}" for name in names]
        found = {}
        for runtime, url in queues.items():
            answer = self.account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=attributes)
            found[runtime] = sum(int(answer["Attributes"][name]) for name in attributes)
        return found

    def close_api(self) -> None:
        """Disable every key of the API, so that nothing more is accepted."""
        self.say(f"[1/{STEPS}] the API accepts no more tasks")
        key = self.account.outputs.get("ApiKeyId")
        if key is None:
            return
        gateway = self.account.client("apigateway")
        for plan in gateway.get_usage_plans(keyId=key).get("items", []):
            for each in gateway.get_usage_plan_keys(usagePlanId=plan["id"]).get("items", []):
                operation = {"op": "replace", "path": "/enabled", "value": "false"}
                gateway.update_api_key(apiKey=each["id"], patchOperations=[operation])

    def stop_services(self, services: Services) -> None:
        """Keep the scaler from starting tasks, and set every service to zero."""
        self.say(
            f"[2/{STEPS}] services are set to zero: {', '.join(services.by_runtime) or 'there are none'}"
        )
        # First, because it would start the tasks again. Lambda does not run a function that reserves nothing.
        scaler = services.outputs.get("ScalerName")
        if scaler is not None:
            self.account.client("lambda").put_function_concurrency(
                FunctionName=scaler, ReservedConcurrentExecutions=0
            )
            self.wait(SCALER_SECONDS)
        ecs = self.account.client("ecs")
        for runtime in sorted(services.running(ecs)):
            service = services.by_runtime[runtime]
            ecs.update_service(cluster=services.cluster, service=service, desiredCount=0)

    def wait_until_drained(self, services: Services) -> None:
        """Wait until no instance is registered, because the cluster cannot be deleted before."""
        self.say(f"[3/{STEPS}] running tasks end or return to their queues, then the instances leave")
        ecs, until, last = self.account.client("ecs"), self.clock() + DRAIN_SECONDS, -1
        while True:
            pages = ecs.get_paginator("list_container_instances").paginate(cluster=services.cluster)
            instances = [arn for page in pages for arn in page["containerInstanceArns"]]
            if not instances:
                return
            if len(instances) != last:
                last = len(instances)
                self.say(f"  {last} instances are left (each takes 2 to 8 minutes after its last task)")
            if self.clock() > until:
                names = " ".join(arn.rsplit("/", 1)[-1] for arn in instances)
                raise StepFailed(
                    f"{last} instances do not leave: run `aws ecs update-container-instances-state --cluster "
                    f"{services.cluster} --status DRAINING --container-instances {names}`, then this again"
                )
            self.wait(POLL_SECONDS)

    def retained_resources(self) -> Iterator[str]:
        """Yield lines that name each retained resource, with the command that deletes it."""
        core = self.account.outputs
        own = () if self.account.settings.model_bucket_arn else ("ModelBucket",)
        yield "kept on purpose; delete what you do not need:"
        for name in ("OutputS3Bucket", "UploadBucket", "LargeTaskBucket", *own):
            if name in core:
                yield f"  aws s3 rb --force s3://{core[name]}"
        if "TaskTable" in core:
            yield f"  aws dynamodb delete-table --table-name {core['TaskTable']}"
        yield "  the CDK's own bucket and repository (stack CDKToolkit), which other CDK apps may use"
        yield "  the role with which API Gateway writes logs, a setting of the whole account"


def main(
    config: Annotated[
        Path, typer.Option(envvar="CDK_CONFIG_PATH", help="The settings that were deployed.")
    ] = ROOT / "config.yaml",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Accept no more tasks, stop the GPUs, wait until they are gone, and destroy both stacks."""
    say = progress()
    try:
        settings, _ = load(config)
        account = account_of(settings, boto3.Session())
        removal = Removal(account=account, cdk=cdk_of(config), say=say)
        for runtime, count in removal.unfinished_task_counts().items():
            if count:
                say(f"{count} tasks of {runtime} have not ended, and will never end")
        if not yes:
            typer.confirm(
                f"Destroy {settings.stack_name} in {account.account}, {account.region}?", abort=True
            )
        removal.run()
    except (StepFailed, InvalidConfigError, ClientError, BotoCoreError) as error:
        typer.echo(f"undeploy: {error}", err=True)
        raise typer.Exit(1) from None
    say("done")


if __name__ == "__main__":
    os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
    typer.run(main)
