"""What a deployment needs besides AWS's services: the CDK's bootstrap, Docker, and models."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Final

from botocore.exceptions import ClientError

from tools.preflight.finding import Account, Finding, failed, ok, warning

# What stacks with assets need; `cdk deploy` checks the same parameter.
_BOOTSTRAP: Final = "/cdk-bootstrap/hnb659fds/version"
_BOOTSTRAP_VERSION: Final = 6
_DOCKER_SECONDS: Final = 30
_ABSENT_CODES: Final = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}


def bootstrap(account: Account) -> Iterator[Finding]:
    """Check that `cdk bootstrap` was run in the account and region."""
    command = f"npx cdk bootstrap aws://{account.account}/{account.region}"
    try:
        response = account.client("ssm").get_parameter(Name=_BOOTSTRAP)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        yield failed("CDK bootstrap", f"missing: run `{command}`")
        return
    version = int(response["Parameter"]["Value"])
    if version < _BOOTSTRAP_VERSION:
        yield failed("CDK bootstrap", f"version {version} is too old: run `{command}`")
    else:
        yield ok("CDK bootstrap", f"version {version}")


def docker(_account: Account) -> Iterator[Finding]:
    """Check that Docker answers: `cdk deploy Compute` builds the consumer's image with it."""
    program = shutil.which("docker")
    if program is None:
        yield failed("Docker", "not found: install it, because `cdk deploy Compute` builds an image with it")
        return
    command = [program, "version", "--format", "{{.Server.Version}}"]
    try:
        process = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_DOCKER_SECONDS
        )
    except subprocess.TimeoutExpired:
        yield failed("Docker", f"does not answer within {_DOCKER_SECONDS} s: is its daemon running?")
        return
    if process.returncode:
        reason = " ".join(process.stderr.split()) or f"status {process.returncode}"
        yield failed("Docker", f"{reason}: start its daemon")
    else:
        yield ok("Docker", f"version {process.stdout.strip()}")


def models(account: Account) -> Iterator[Finding]:
    """Check that the models without which tasks cannot start are in the model bucket."""
    needed = [keys for runtime in account.settings.models_runtime for keys in runtime.required_models()]
    arn = account.settings.model_bucket_arn
    bucket = arn.rsplit(":", 1)[-1] if arn else account.outputs.get("ModelBucket")
    if needed and bucket is None:
        yield warning(
            "models",
            f"once the core stack has created the bucket, upload {', '.join(keys[0] for keys in needed)}",
        )
        return
    for keys in dict.fromkeys(needed):
        yield _check_model(account, str(bucket), keys)


def _check_model(account: Account, bucket: str, keys: tuple[str, ...]) -> Finding:
    """Check that a model is in the bucket under one of the keys at which workers look for it."""
    for key in keys:
        try:
            size = account.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in _ABSENT_CODES:
                raise
        else:
            return ok(f"model {key}", f"{size / 10**9:.1f} GB in {bucket}")
    key = keys[0]
    name = key.rsplit("/", 1)[-1]
    return failed(f"model {key}", f"not in {bucket}: run `aws s3 cp {name} s3://{bucket}/{key}`")
