"""Build the assets of a deployment, each from a list of packages: the Lambdas' code and the consumer's image.

The Lambda code is built here without Docker, from locked dependencies and packages of this repository. Docker
builds the image when it is published.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import aws_cdk as cdk
import jsii
from aws_cdk import aws_ecr_assets as assets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

ROOT: Final = Path(__file__).parent.parent

# Everything that the Lambdas import, so that a change in container/ does not change their hash.
PACKAGES: Final = ("domain", "runtimes", "adapters", "functions")
LOCK: Final = ROOT / "functions" / "requirements.txt"
WEBHOOK_LOCK: Final = ROOT / "functions" / "webhooks" / "requirements.txt"

# Everything that the consumer's image contains, so that a change elsewhere does not change its hash.
_IMAGE_PACKAGES: Final = ("domain", "runtimes", "adapters", "container")

# Installed dependencies, in folders named by a hash of everything that determines them, so that later
# syntheses of this checkout reuse them.
_CACHE: Final = ROOT / ".venv" / "lambda-dependencies"

# Bytecode is excluded because it differs between Python's minor versions, and the machine that synthesizes
# rarely has the Lambda's. With SnapStart, compilation happens only once, when a version is published.
_IGNORE_FILES: Final = shutil.ignore_patterns("__pycache__", "*.pyc", "requirements*", "*.md")

# botocore describes every AWS service (about 30 MB); these are the ones that the Lambdas call.
AWS_SERVICES: Final = frozenset({"dynamodb", "ecs", "s3", "secretsmanager", "sns", "sqs", "sts"})


@dataclass(frozen=True, kw_only=True)
class Target:
    """The Python version and platform that dependencies are installed for; None means those of this host."""

    python: str | None = "3.14"
    platform: str | None = "manylinux2014_aarch64"

    def pip_options(self) -> list[str]:
        """Return the options that make pip install for this target."""
        if self.python is None or self.platform is None:
            return []
        return ["--platform", self.platform, "--python-version", self.python, "--implementation", "cp"]


LAMBDA: Final = Target()


def function_code(lock: Path = LOCK) -> lambda_.Code:
    """Return the code asset with the dependencies of a lock file; most Lambda functions share one."""
    return code_built_by(partial(build, lock=lock), source_hash(PACKAGES, lock, LAMBDA))


def code_built_by(build_into: Callable[[Path], None], asset_hash: str) -> lambda_.Code:
    """Return a code asset that a function of this process writes into a folder, never Docker."""
    unused_image = cdk.DockerImage.from_registry("not-used-because-bundling-is-local")
    return lambda_.Code.from_asset(
        str(ROOT),
        asset_hash=asset_hash,
        asset_hash_type=cdk.AssetHashType.CUSTOM,
        bundling=cdk.BundlingOptions(image=unused_image, local=_Bundling(build_into)),
    )


def consumer_image(scope: Construct, id_: str, *, root: Path = ROOT) -> assets.DockerImageAsset:
    """Return the image asset; Docker builds it when it is published, not at synthesis."""
    for package in _IMAGE_PACKAGES:
        if not (root / package / "__init__.py").is_file():
            raise ValueError(f"the consumer's image lists the package {package!r}, which does not exist")
    included = [pattern for package in _IMAGE_PACKAGES for pattern in (f"!{package}", f"!{package}/**")]
    return assets.DockerImageAsset(
        scope,
        id_,
        directory=str(root),
        file="container/consumer/Dockerfile",
        platform=assets.Platform.LINUX_AMD64,
        # Other folders in `container`, such as those with images of engines, are not part of it.
        exclude=[
            "*",
            *included,
            "container/*",
            "!container/__init__.py",
            "!container/consumer",
            "!container/consumer/**",
            "**/__pycache__",
            "**/*.pyc",
            "**/*.md",
            "**/requirements.in",
        ],
    )


def build(
    output: Path, *, packages: Iterable[str] = PACKAGES, lock: Path = LOCK, target: Target = LAMBDA
) -> None:
    """Copy dependencies and packages into an existing, empty folder."""
    shutil.copytree(_install_dependencies(lock, target), output, dirs_exist_ok=True)
    for package in packages:
        shutil.copytree(_package_folder(package), output / package, ignore=_IGNORE_FILES)


def source_hash(packages: Iterable[str], lock: Path, target: Target, *, root: Path = ROOT) -> str:
    """Hash exactly the files that `build` reads."""
    digest = hashlib.sha256(_dependencies_key(lock, target).encode())
    for package in packages:
        source = _package_folder(package, root)
        for folder, folders, files in os.walk(source):
            folders[:] = sorted(set(folders) - _IGNORE_FILES(folder, folders))
            for name in sorted(set(files) - _IGNORE_FILES(folder, files)):
                path = Path(folder) / name
                content = path.read_bytes()
                digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
                digest.update(content)
    return digest.hexdigest()


def _package_folder(package: str, root: Path = ROOT) -> Path:
    folder = root / package
    if not (folder / "__init__.py").is_file():
        raise ValueError(f"the functions' code lists the package {package!r}, which does not exist")
    return folder


def _dependencies_key(lock: Path, target: Target) -> str:
    determined_by = (lock.read_text(encoding="utf-8"), repr(target), *sorted(AWS_SERVICES))
    return hashlib.sha256("\0".join(determined_by).encode()).hexdigest()


def _install_dependencies(lock: Path, target: Target) -> Path:
    """Install the lock file once and return the folder, which is complete even if two builds run at once."""
    folder = _CACHE / _dependencies_key(lock, target)
    if folder.is_dir():
        return folder
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE, prefix="building-") as scratch:
        installed = Path(scratch) / "installed"
        _run_pip(lock, target, installed)
        _remove_unused_services(installed / "botocore" / "data")
        shutil.rmtree(installed / "bin", ignore_errors=True)
        try:
            installed.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def _run_pip(lock: Path, target: Target, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    options = ["--only-binary=:all:", "--require-hashes", "--target", str(folder), "-r", str(lock)]
    process = subprocess.run(
        [*pip, *target.pip_options(), *options], capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise RuntimeError(f"pip could not install {lock} for the functions:\n{process.stderr}")


def _remove_unused_services(data: Path) -> None:
    known = {entry.name for entry in data.iterdir() if entry.is_dir()}
    if missing := AWS_SERVICES - known:
        raise ValueError(f"botocore does not know {sorted(missing)}")
    for name in known - AWS_SERVICES:
        shutil.rmtree(data / name)


@jsii.implements(cdk.ILocalBundling)
class _Bundling:
    """Bundles on this machine, so that the CDK never falls back to Docker."""

    def __init__(self, build_into: Callable[[Path], None]) -> None:
        self._build_into = build_into

    def try_bundle(self, output_dir: str, *_options: Any, **_more: Any) -> bool:
        """Build the code in the folder that the CDK asks for; jsii passes options by position."""
        self._build_into(Path(output_dir))
        return True
