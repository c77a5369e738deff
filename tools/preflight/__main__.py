"""Check an account before a deployment: `python -m tools.preflight --help`."""

from pathlib import Path
from typing import Annotated, Any, Final

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from infra.settings.deployment import Settings
from infra.settings.reading import InvalidConfigError, load
from tools.preflight import artifacts, places, quotas
from tools.preflight.finding import Account, Check, Finding, Verdict, failed, run_checks
from tools.preflight.images import images
from tools.stacks import stack_outputs

ROOT: Final = Path(__file__).parents[2]

CHECKS: Final[dict[str, Check]] = {
    "region": places.region,
    "CDK bootstrap": artifacts.bootstrap,
    "Docker": artifacts.docker,
    "instance types": places.instance_types,
    "vCPUs": quotas.vcpus,
    "zones": places.zones,
    "Lambda's concurrent executions": quotas.concurrency,
    "models": artifacts.models,
    "images": images,
}


def read_account(settings: Settings, session: boto3.Session) -> Account:
    """Return the account and region of a session's credentials, with the core stack's outputs."""
    if session.region_name is None:
        raise typer.BadParameter("no region: set AWS_REGION")
    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in clients:
            clients[service] = session.client(service)
        return clients[service]

    return Account(
        settings=settings,
        account=client("sts").get_caller_identity()["Account"],
        region=session.region_name,
        client=client,
        outputs=stack_outputs(client("cloudformation"), settings.stack_name),
    )


def show(finding: Finding) -> None:
    """Print a finding as one line."""
    colors = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "red"}
    verdict = typer.style(f"{finding.verdict:8}", fg=colors[finding.verdict])
    typer.echo(f"{verdict} {finding.subject}: {finding.text}")


def check(settings: Settings, session: boto3.Session) -> bool:
    """Print one line for each finding; return whether the deployment can work."""
    try:
        findings = run_checks(CHECKS, read_account(settings, session))
    except (ClientError, BotoCoreError) as error:
        findings = iter([failed("account", f"{error}: set credentials and a region")])
    can_deploy = True
    for finding in findings:
        show(finding)
        can_deploy = can_deploy and finding.verdict is not Verdict.FAILED
    return can_deploy


def main(
    config: Annotated[Path, typer.Option(envvar="CDK_CONFIG_PATH", help="The settings to deploy.")] = ROOT
    / "config.yaml",
) -> None:
    """Print what would prevent a deployment of the settings; exit with 1 if something would."""
    try:
        settings, _ = load(config)
    except InvalidConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    if not check(settings, boto3.Session()):
        raise typer.Exit(1)


if __name__ == "__main__":
    # The CDK, which describes the engines' containers, announces Node versions that it does not know.
    typer.run(main)
