"""Take a deployment down in the order that works: `make undeploy`, `python -m tools.undeploy --help`."""

import json
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
from tools.cdk import ROOT, Cdk, StepFailed, cdk_for
from tools.deploy import progress_printer
from tools.preflight.__main__ import read_account
from tools.preflight.finding import Account
from tools.services import Services

# An instance is terminated 1 to 8 minutes after its last ECS task, and an ECS task that is protected from
# scale-in may run for up to an hour.
DRAIN_SECONDS: Final = 3600.0
POLL_SECONDS: Final = 15.0
# A check of the scaler that has begun may still set a desired count, until its function times out.
SCALER_CHECK_SECONDS: Final = float(SCALER_TIMEOUT_SECONDS)
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
        services = Services.read(self.account)
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
        """Return how many image tasks wait or run, by runtime."""
        queues: dict[str, str] = json.loads(self.account.outputs.get("TaskQueues", "{}"))
        suffixes: tuple[Any, ...] = ("", "NotVisible", "Delayed")
        attributes = [f"ApproximateNumberOfMessages{suffix}" for suffix in suffixes]
        counts = {}
        for runtime, url in queues.items():
            response = self.account.client("sqs").get_queue_attributes(
                QueueUrl=url, AttributeNames=attributes
            )
            counts[runtime] = sum(int(response["Attributes"][name]) for name in attributes)
        return counts

    def close_api(self) -> None:
        """Disable every key of the API, so that nothing more is accepted."""
        self.say(f"[1/{STEPS}] the API accepts no more tasks")
        key = self.account.outputs.get("ApiKeyId")
        if key is None:
            return
        gateway = self.account.client("apigateway")
        for plan in gateway.get_usage_plans(keyId=key).get("items", []):
            for plan_key in gateway.get_usage_plan_keys(usagePlanId=plan["id"]).get("items", []):
                operation = {"op": "replace", "path": "/enabled", "value": "false"}
                gateway.update_api_key(apiKey=plan_key["id"], patchOperations=[operation])

    def stop_services(self, services: Services) -> None:
        """Keep the scaler from starting ECS tasks, and set the desired count of every service to zero."""
        self.say(
            f"[2/{STEPS}] services are set to zero: {', '.join(services.by_runtime) or 'there are none'}"
        )
        # The scaler first, because it would start the ECS tasks again. Lambda does not run a function whose
        # reserved concurrency is 0.
        scaler = services.outputs.get("ScalerName")
        if scaler is not None:
            self.account.client("lambda").put_function_concurrency(
                FunctionName=scaler, ReservedConcurrentExecutions=0
            )
            self.wait(SCALER_CHECK_SECONDS)
        ecs = self.account.client("ecs")
        for runtime in sorted(services.existing_runtimes(ecs)):
            service = services.by_runtime[runtime]
            ecs.update_service(cluster=services.cluster, service=service, desiredCount=0)

    def wait_until_drained(self, services: Services) -> None:
        """Wait until no instance is registered, because the cluster cannot be deleted before."""
        self.say(
            f"[3/{STEPS}] running image tasks end or return to their queues, "
            "then ECS terminates the instances"
        )
        ecs, last_count = self.account.client("ecs"), -1
        deadline = self.clock() + DRAIN_SECONDS
        while True:
            pages = ecs.get_paginator("list_container_instances").paginate(cluster=services.cluster)
            instances = [arn for page in pages for arn in page["containerInstanceArns"]]
            if not instances:
                return
            if len(instances) != last_count:
                last_count = len(instances)
                self.say(
                    f"  {last_count} instances are left (each takes 1 to 8 minutes after its last ECS task)"
                )
            if self.clock() > deadline:
                names = " ".join(arn.rsplit("/", 1)[-1] for arn in instances)
                raise StepFailed(
                    f"{last_count} instances are not terminated: run "
                    f"`aws ecs update-container-instances-state --cluster "
                    f"{services.cluster} --status DRAINING --container-instances {names}`, "
                    "then run this command again"
                )
            self.wait(POLL_SECONDS)

    def retained_resources(self) -> Iterator[str]:
        """Yield lines that name each retained resource, with the command that deletes it."""
        core = self.account.outputs
        model_bucket = () if self.account.settings.model_bucket_arn else ("ModelBucket",)
        yield "kept on purpose; delete what you do not need:"
        for name in ("OutputS3Bucket", "UploadBucket", "LargeTaskBucket", *model_bucket):
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
    """Accept no more tasks, stop the GPUs, wait until they are terminated, and destroy both stacks."""
    say = progress_printer()
    try:
        settings, _ = load(config)
        account = read_account(settings, boto3.Session())
        removal = Removal(account=account, cdk=cdk_for(config), say=say)
        for runtime, count in removal.unfinished_task_counts().items():
            if count:
                say(f"{count} tasks of {runtime} have not ended, and never will")
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
    typer.run(main)
