"""Deploy everything and prove it with one task: `make deploy`, `python -m tools.deploy --help`."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from domain.api_routes import CONSOLE
from infra.compute.stack import START_AT_ZERO
from infra.runtime_types.image import Image
from infra.settings.reading import InvalidConfigError, load
from tools.cdk import ROOT, Cdk, StepFailed, cdk_for
from tools.first_task import TASK_SECONDS, FirstTask, ServiceEvents
from tools.preflight.__main__ import check, read_account
from tools.preflight.artifacts import models
from tools.preflight.finding import Account, Verdict
from tools.services import Services, runtimes_without_service
from tools.stacks import stack_outputs

STEPS: Final = 5


@dataclass(kw_only=True)
class Deployment:
    """The steps of a deployment; each can be repeated. `say` prints a line of progress."""

    account: Account
    cdk: Cdk
    say: Callable[[str], None]
    api_url: Callable[[dict[str, str]], str] = lambda core: core["FrontApiEndpoint"]
    seconds: float = TASK_SECONDS

    def run(self, *, send_task: bool = True) -> None:
        """Deploy both stacks, and send one image task; raise StepFailed with what to do."""
        self.deploy_core()
        self.check_models()
        new_runtimes = self.deploy_compute()
        self.import_images()
        self.resume_scaler()
        self.start_minimum_tasks(new_runtimes)
        if send_task:
            self.send_first_task()
        self.say_how_to_use()

    def deploy_core(self) -> None:
        """Deploy the core stack."""
        self.say(f"[2/{STEPS}] the core stack: API, queues, table, buckets (3 to 5 minutes the first time)")
        self.cdk("deploy", "Core", "--require-approval", "never")
        name = self.account.settings.stack_name
        self.account = replace(
            self.account, outputs=stack_outputs(self.account.client("cloudformation"), name)
        )

    def check_models(self) -> None:
        """Raise StepFailed if the bucket lacks a model without which tasks cannot start."""
        self.say(f"[3/{STEPS}] models")
        failures = [finding for finding in models(self.account) if finding.verdict is Verdict.FAILED]
        for finding in failures:
            self.say(f"  {finding.subject}: {finding.text}")
        if failures:
            raise StepFailed("upload these models, then run the same command again")

    def deploy_compute(self) -> list[str]:
        """Deploy the compute stack; return the runtimes whose ECS service is new and has no ECS task yet."""
        new_runtimes = runtimes_without_service(self.account)
        context = ("-c", f"{START_AT_ZERO}={','.join(new_runtimes)}") if new_runtimes else ()
        self.say(f"[4/{STEPS}] the compute stack (5 to 10 minutes the first time)")
        if new_runtimes:
            self.say(f"  services created without an ECS task: {', '.join(new_runtimes)}")
        self.cdk("deploy", "Compute", "--require-approval", "never", *context)
        return new_runtimes

    def import_images(self) -> None:
        """Make ECR import the images that ECS tasks pull through its cache."""
        for image_name in json.loads(self._services().outputs.get("CachedImages", "[]")):
            image = Image(image_name)
            response = self.account.client("ecr").batch_get_image(
                repositoryName=image.name, imageIds=[{"imageTag": image.reference}]
            )
            if failures := response.get("failures"):
                reason = failures[0].get("failureReason", failures[0].get("failureCode"))
                raise StepFailed(f"ECR could not import {image_name}: {reason}")
            self.say(f"  {image_name} is in this account's registry")

    def resume_scaler(self) -> None:
        """Let the scaler run again if an unfinished removal has stopped it."""
        functions, scaler = self.account.client("lambda"), self._services().outputs["ScalerName"]
        concurrency = functions.get_function_concurrency(FunctionName=scaler)
        if concurrency.get("ReservedConcurrentExecutions") == 0:
            functions.delete_function_concurrency(FunctionName=scaler)
            self.say("  automatic scaling is on again")

    def start_minimum_tasks(self, new_runtimes: list[str]) -> None:
        """Start the ECS tasks that always run (`minReplicaCount`) in services that were just created."""
        services = self._services()
        for runtime in self.account.settings.models_runtime:
            minimum = runtime.scaling.min_replica_count
            if runtime.name in new_runtimes and minimum:
                service = services.by_runtime[runtime.name]
                self.account.client("ecs").update_service(
                    cluster=services.cluster, service=service, desiredCount=minimum
                )
                self.say(f"  {runtime.name}: starting {minimum} ECS tasks")

    def send_first_task(self) -> None:
        """Send one image task through the API and fetch its image by its link."""
        self.say(f"[5/{STEPS}] one task, which starts a GPU (2 to 13 minutes)")
        runtimes = self.account.settings.models_runtime
        runtime = next((runtime for runtime in runtimes if runtime.sample_task() is not None), None)
        if runtime is None:
            self.say("  no runtime has a checkpoint of its own: send a task that names one (examples/)")
            return
        services = self._services()
        events = ServiceEvents(ecs=self.account.client("ecs"), services=services, runtime=runtime.name)
        first = FirstTask(
            api_url=self.api_url(dict(self.account.outputs)),
            api_key=self._api_key(),
            say=lambda text: self.say(f"  {text}"),
        )
        link = first.run(runtime, events=events, seconds=self.seconds)
        self.say(f"  {link}")

    def say_how_to_use(self) -> None:
        """Print what a shell needs to call the API, the console's address, and the client's first command."""
        api = self.api_url(dict(self.account.outputs)).rstrip("/")
        for line in (
            f"shell: export API={api} KEY=$({self.account.outputs['GetAPIKeyCommand']})",
            f"console: {api}{CONSOLE.path} (asks for the key)",
            f"client: .venv/bin/sd-on-ecs login {self.account.settings.stack_name}",
        ):
            self.say(f"  {line}")

    def _api_key(self) -> str:
        """Return an enabled key of the API; enable the stack's own key only if all are disabled."""
        gateway, own_key = self.account.client("apigateway"), self.account.outputs["ApiKeyId"]
        for plan in gateway.get_usage_plans(keyId=own_key)["items"]:
            for plan_key in gateway.get_usage_plan_keys(usagePlanId=plan["id"])["items"]:
                key = gateway.get_api_key(apiKey=plan_key["id"], includeValue=True)
                if key["enabled"]:
                    return str(key["value"])
        operation = {"op": "replace", "path": "/enabled", "value": "true"}
        gateway.update_api_key(apiKey=own_key, patchOperations=[operation])
        return str(gateway.get_api_key(apiKey=own_key, includeValue=True)["value"])

    def _services(self) -> Services:
        services = Services.read(self.account)
        if services is None:
            raise StepFailed("the compute stack is not deployed: run the same command again")
        return services


def deploy(config: Path, say: Callable[[str], None], *, preflight: bool, send_task: bool) -> None:
    """Deploy a settings file to the account and region of boto3's default session."""
    settings, _ = load(config)
    session = boto3.Session()
    say(f"[1/{STEPS}] preflight")
    if preflight and not check(settings, session):
        raise StepFailed("repair what failed, then run the same command again (or add --no-preflight)")
    Deployment(account=read_account(settings, session), cdk=cdk_for(config), say=say).run(send_task=send_task)


def progress_printer() -> Callable[[str], None]:
    """Return a function that prints a line with the time since the start."""
    started_at = time.monotonic()

    def say(text: str) -> None:
        typer.echo(f"{time.monotonic() - started_at:7.1f} s  {text}")

    return say


def main(
    config: Annotated[Path, typer.Option(envvar="CDK_CONFIG_PATH", help="The settings to deploy.")] = ROOT
    / "config.yaml",
    *,
    preflight: Annotated[bool, typer.Option(help="Check the account first.")] = True,
    send_task: Annotated[
        bool, typer.Option("--prove/--no-prove", help="Send one task at the end; it starts a GPU.")
    ] = True,
) -> None:
    """Deploy both stacks and send one task to its image; the command can be repeated at any time."""
    say = progress_printer()
    try:
        deploy(config, say, preflight=preflight, send_task=send_task)
    except (StepFailed, InvalidConfigError, ClientError, BotoCoreError) as error:
        typer.echo(f"deploy: {error}", err=True)
        raise typer.Exit(1) from None
    say("done")


if __name__ == "__main__":
    typer.run(main)
