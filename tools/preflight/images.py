"""Check that the images of all engines can be pulled."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
from botocore.exceptions import ClientError

from infra.runtime_types.image import Image
from tools.preflight.finding import Account, Finding, failed, ok, warning
from tools.preflight.registry import ImageNotFound, look_up

ROOT: Final = Path(__file__).parents[2]
_ABSENT: Final = {"RepositoryNotFoundException", "ImageNotFoundException"}
_OTHER_ACCOUNT: Final = {"AccessDeniedException", "RepositoryPolicyNotFoundException"}


def images(account: Account) -> Iterator[Finding]:
    """Look up the image of each runtime where it comes from."""
    for runtime in account.settings.models_runtime:
        engine = runtime.engine()
        subject, image = f"image of {runtime.name}", Image(engine.image)
        if image.folder is not None:
            yield _folder(subject, image.folder)
        elif engine.credentials_secret is not None:
            yield _secret(account, subject, engine.credentials_secret)
        elif image.private is not None:
            yield _private(account, subject, image)
        else:
            yield _public(subject, image)


def _folder(subject: str, folder: str) -> Finding:
    if (ROOT / folder / "Dockerfile").is_file():
        return ok(subject, f"`cdk deploy Compute` builds {folder}")
    return failed(subject, f"{folder} has no Dockerfile")


def _secret(account: Account, subject: str, secret: str) -> Finding:
    try:
        account.client("secretsmanager").describe_secret(SecretId=secret)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return failed(subject, f"there is no secret {secret}: create it with username and password as JSON")
    return ok(subject, f"not looked up: its registry needs the credentials in {secret}, which exists")


def _private(account: Account, subject: str, image: Image) -> Finding:
    place = image.private
    if place is None:
        raise ValueError(f"{image.text} is not in a private repository")
    if place.region != account.region:
        return warning(subject, f"not looked up: it is in {place.region}, so each start pulls it from there")
    by = "imageDigest" if image.reference.startswith("sha256:") else "imageTag"
    try:
        found = account.client("ecr").describe_images(
            registryId=place.account, repositoryName=place.name, imageIds=[{by: image.reference}]
        )["imageDetails"][0]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _OTHER_ACCOUNT and place.account != account.account:
            return warning(
                subject, f"not looked up: the repository's policy in {place.account} must allow to pull it"
            )
        if code not in _ABSENT:
            raise
        return failed(
            subject, f"{place.account} has no image {place.name} {image.reference} in {place.region}"
        )
    return ok(subject, f"{found['imageDigest']}, {_gigabytes(found['imageSizeInBytes'])}")


def _public(subject: str, image: Image) -> Finding:
    try:
        found = look_up(image.name, image.reference)
    except ImageNotFound as error:
        return failed(subject, f"{image.text} cannot be pulled: {error}")
    except httpx.HTTPError as error:
        return warning(subject, f"not checked: {type(error).__name__} {error}")
    size = _gigabytes(found.size)
    if not image.pinned:
        return warning(
            subject, f"{size}, and its tag can change: once it works, set {image.name}@{found.digest}"
        )
    return ok(subject, size)


def _gigabytes(size: int) -> str:
    return f"{size / 10**9:.1f} GB to download"
