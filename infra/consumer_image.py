"""The consumer's image, built from the repository's root by an allow-list."""

from pathlib import Path
from typing import Final

from aws_cdk import aws_ecr_assets as assets
from constructs import Construct

from infra.code import ROOT

# Everything is left out but this: a change elsewhere leaves the image's hash alone.
_COPIED: Final = ("domain", "runtimes", "adapters", "container")


def consumer_image(scope: Construct, id_: str, *, root: Path = ROOT) -> assets.DockerImageAsset:
    """Return the image asset; Docker builds it when it is published, not at synthesis."""
    for package in _COPIED:
        if not (root / package / "__init__.py").is_file():
            raise ValueError(
                f"the consumer's image lists the package {package!r}, and there is no such package"
            )
    kept = [pattern for package in _COPIED for pattern in (f"!{package}", f"!{package}/**")]
    return assets.DockerImageAsset(
        scope,
        id_,
        directory=str(root),
        file="container/consumer/Dockerfile",
        platform=assets.Platform.LINUX_AMD64,
        exclude=["*", *kept, "**/__pycache__", "**/*.pyc", "**/*.md", "**/requirements.in"],
    )
