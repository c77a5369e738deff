"""What needs the AWS credentials of the caller: reading a stack, and the bucket with the models."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sd_on_ecs.connection import Connection, normalize_endpoint
from sd_on_ecs.errors import InputError, NotConfigured


def client(service: str, connection: Connection) -> Any:
    """Return a boto3 client with the credentials of the caller, or those of a running `make local`."""
    try:
        import boto3  # noqa: PLC0415 -- optional
    except ImportError:
        raise InputError("this needs boto3: pip install './client[aws]' in a checkout") from None
    with aws_errors():
        if connection.aws_endpoint_url is not None:
            # An emulator accepts any credentials, and must not get those of the user.
            session = boto3.Session(
                region_name=connection.region,
                aws_access_key_id="local",
                aws_secret_access_key="local",  # noqa: S106 -- it is no secret
            )
            return session.client(service, endpoint_url=connection.aws_endpoint_url)
        # boto3 itself reads only AWS_DEFAULT_REGION, other tools of AWS also the shorter name.
        region = connection.region or os.environ.get("AWS_REGION")
        session = boto3.Session(profile_name=connection.aws_profile, region_name=region)
        return session.client(service)


@contextmanager
def aws_errors() -> Iterator[None]:
    """Turn the errors of boto3 inside a `with` block into those of this library."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- optional

    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        raise InputError(
            f"AWS refused {error.operation_name}: {details.get('Message')} ({details.get('Code')})"
        ) from error
    except BotoCoreError as error:
        raise NotConfigured(f"AWS cannot be called: {error}") from error


def read_stack(
    stack: str,
    *,
    region: str | None = None,
    aws_profile: str | None = None,
    endpoint: str | None = None,
    key_name: str | None = None,
) -> Connection:
    """Return how to reach the deployment of a core stack.

    `endpoint` is another address of its API, and `key_name` one of the further keys in its settings.
    """
    asked = Connection(endpoint="", key="", region=region, aws_profile=aws_profile)
    cloudformation, apigateway = client("cloudformation", asked), client("apigateway", asked)
    with aws_errors():
        described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    missing = [name for name in ("FrontApiEndpoint", "ApiKeyId", "ModelBucket") if name not in outputs]
    if missing:
        raise InputError(
            f"{stack} is not the core stack of a deployment: it has no output {', '.join(missing)}"
        )
    key_id = outputs["ApiKeyId"] if key_name is None else _further_key(outputs, key_name)
    with aws_errors():
        key = apigateway.get_api_key(apiKey=key_id, includeValue=True)["value"]
    return Connection(
        endpoint=normalize_endpoint(endpoint or outputs["FrontApiEndpoint"]),
        key=key,
        stack=stack,
        region=cloudformation.meta.region_name,
        aws_profile=aws_profile,
        model_bucket=outputs["ModelBucket"],
    )


def _further_key(outputs: Mapping[str, str], name: str) -> str:
    """Return the id of a further key, which is only in the command that prints the key."""
    output = f"Get{name[:1].upper()}{name[1:]}APIKeyCommand"
    found = re.search(r"--api-key (\S+)", outputs.get(output, ""))
    if found is None:
        raise InputError(f"the stack has no API key {name!r}: it has no output {output}")
    return found[1]
