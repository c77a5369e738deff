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
            yield _check_folder(subject, image.folder)
        elif engine.credentials_secret is not None:
            yield _check_secret(account, subject, engine.credentials_secret)
        elif image.private is not None:
            yield _check_private(account, subject, image)
        else:
            yield _check_public(subject, image)


def _check_folder(subject: str, folder: str) -> Finding:
    if (ROOT / folder / "Dockerfile").is_file():
        return ok(subject, f"`cdk deploy Compute` builds {folder}")
    return failed(subject, f"{folder} has no Dockerfile")


def _check_secret(account: Account, subject: str, secret: str) -> Finding:
    try:
        account.client("secretsmanager").describe_secret(SecretId=secret)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return failed(subject, f"there is no secret {secret}: create it with username and password as JSON")
    return ok(subject, f"not looked up: its registry needs the credentials in {secret}, which exists")


def _check_private(account: Account, subject: str, image: Image) -> Finding:
    repository = image.private
    if repository is None:
        raise ValueError(f"{image.text} is not in a private repository")
    if repository.region != account.region:
        return warning(
            subject, f"not looked up: it is in {repository.region}, so each start pulls it from there"
        )
    id_kind = "imageDigest" if image.reference.startswith("sha256:") else "imageTag"
    try:
        details = account.client("ecr").describe_images(
            registryId=repository.account,
            repositoryName=repository.name,
            imageIds=[{id_kind: image.reference}],
        )["imageDetails"][0]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _OTHER_ACCOUNT and repository.account != account.account:
            return warning(
                subject,
                f"not looked up: the repository's policy in {repository.account} must allow to pull it",
            )
        if code not in _ABSENT:
            raise
        return failed(
            subject,
            f"{repository.account} has no image {repository.name} {image.reference} in {repository.region}",
        )
    return ok(subject, f"{details['imageDigest']}, {_gigabytes(details['imageSizeInBytes'])}")


def _check_public(subject: str, image: Image) -> Finding:
    try:
        registry_image = look_up(image.name, image.reference)
    except ImageNotFound as error:
        return failed(subject, f"{image.text} cannot be pulled: {error}")
    except httpx.HTTPError as error:
        return warning(subject, f"not checked: {type(error).__name__} {error}")
    size = _gigabytes(registry_image.size)
    if not image.pinned:
        return warning(
            subject,
            f"{size}, and its tag can change: once it works, set {image.name}@{registry_image.digest}",
        )
    return ok(subject, size)


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 10**9:.1f} GB to download"
