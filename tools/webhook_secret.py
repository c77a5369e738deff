"""Rotate the secret that signs webhooks: `python -m tools.webhook_secret --help`."""

from typing import Annotated, Any, Final

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from tools.stacks import stack_outputs

_CHARACTERS: Final = 32  # of base64: the 24 bytes of a key


def rotate(client: Any, secret_id: str) -> None:
    """Replace the secret; deliveries are signed with the previous one too for a day."""
    password = client.get_random_password(PasswordLength=_CHARACTERS, ExcludePunctuation=True)
    client.put_secret_value(SecretId=secret_id, SecretString=password["RandomPassword"])


def revoke(client: Any, secret_id: str) -> bool:
    """Stop signing with the previous secret; return whether there was one."""
    versions = client.describe_secret(SecretId=secret_id)["VersionIdsToStages"]
    previous = [version for version, stages in versions.items() if "AWSPREVIOUS" in stages]
    for version in previous:
        client.update_secret_version_stage(
            SecretId=secret_id, VersionStage="AWSPREVIOUS", RemoveFromVersionId=version
        )
    return bool(previous)


def main(
    stack: Annotated[str, typer.Option(help="The name of the core stack.")] = "sdonecs",
    *,
    revoke_previous: Annotated[
        bool, typer.Option("--revoke-previous", help="Only stop signing with the previous secret.")
    ] = False,
) -> None:
    """Make a new secret; for 24 hours, deliveries are signed with the new one and the previous one."""
    try:
        session = boto3.Session()
        secret_id = stack_outputs(session.client("cloudformation"), stack)["WebhookSecret"]
        client = session.client("secretsmanager")
        if revoke_previous:
            was_revoked = revoke(client, secret_id)
            typer.echo(
                "within 5 minutes, only the current secret signs"
                if was_revoked
                else "there is no previous one"
            )
            return
        rotate(client, secret_id)
    except KeyError:
        typer.echo(f"webhook_secret: there is no deployed stack {stack} with webhooks", err=True)
        raise typer.Exit(1) from None
    except (ClientError, BotoCoreError) as error:
        typer.echo(f"webhook_secret: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo("for 24 hours both secrets sign: give receivers the new one (GetWebhookSecretCommand)")


if __name__ == "__main__":
    typer.run(main)
