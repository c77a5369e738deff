"""The contents of the functions' assets and of the consumer's image."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest

from infra.assets import (
    AWS_SERVICES,
    LAMBDA,
    LOCK,
    PACKAGES,
    WEBHOOK_LOCK,
    Target,
    build,
    consumer_image,
    source_hash,
)
from tests.support.synthesis import ROOT, Synthesis

pytestmark = pytest.mark.xdist_group("infra")

COPIED = ("domain", "runtimes", "adapters", "functions", "container")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the packages that a test can change."""
    for package in COPIED:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def _function_hash(root: Path) -> str:
    return source_hash(PACKAGES, LOCK, LAMBDA, root=root)


def _image_hash(root: Path) -> str:
    return consumer_image(cdk.Stack(cdk.App(), "Stack"), "Image", root=root).asset_hash


def test_a_change_in_the_container_changes_only_the_image(checkout: Path) -> None:
    functions, image = _function_hash(checkout), _image_hash(checkout)
    (checkout / "container" / "consumer" / "more.py").write_text("MORE = 1\n")
    assert _function_hash(checkout) == functions
    assert _image_hash(checkout) != image


def test_the_image_of_an_engine_does_not_change_the_consumers_image(checkout: Path) -> None:
    image = _image_hash(checkout)
    (checkout / "container" / "engine").mkdir()
    (checkout / "container" / "engine" / "Dockerfile").write_text("FROM scratch\n")
    assert _image_hash(checkout) == image
    (checkout / "container" / "consumer" / "settings.py").write_text("")
    assert _image_hash(checkout) != image


def test_a_change_in_the_functions_changes_only_the_functions(checkout: Path) -> None:
    functions, image = _function_hash(checkout), _image_hash(checkout)
    (checkout / "functions" / "more.py").write_text("MORE = 1\n")
    assert _function_hash(checkout) != functions
    assert _image_hash(checkout) == image


def test_a_change_in_the_domain_changes_both(checkout: Path) -> None:
    functions, image = _function_hash(checkout), _image_hash(checkout)
    (checkout / "domain" / "limits.py").write_text("")
    assert _function_hash(checkout) != functions
    assert _image_hash(checkout) != image


def test_bytecode_and_readmes_change_nothing(checkout: Path) -> None:
    functions, image = _function_hash(checkout), _image_hash(checkout)
    for package in ("domain", "functions", "container"):
        cache = checkout / package / "__pycache__"
        cache.mkdir()
        (cache / "x.cpython-311.pyc").write_bytes(b"\0")
        (checkout / package / "README.md").write_text("words")
    assert _function_hash(checkout) == functions
    assert _image_hash(checkout) == image


def test_a_misspelled_package_is_an_error(tmp_path: Path) -> None:
    """Otherwise an empty asset would fail at its first request."""
    with pytest.raises(ValueError, match="'domian', which does not exist"):
        build(tmp_path, packages=["domian"])


SHARED = {"aws_lambda_powertools", "boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py"} | {
    "typing_extensions.py",
    "urllib3",
}
HTTP = {"certifi", "h11", "httpcore", "idna"}


def test_the_assets_contain_exactly_the_listed_packages_and_the_locked_dependencies(
    standard: Synthesis,
) -> None:
    files = standard.read("Core.assets.json")["files"].values()
    folders = [
        standard.folder / file["source"]["path"] for file in files if file["source"]["packaging"] == "zip"
    ]
    contents = {
        frozenset(entry.name for entry in asset.iterdir() if not entry.name.endswith(".dist-info"))
        for asset in folders
    }
    # Only the function that delivers webhooks has an HTTP client, which would slow the API's start; the
    # console's has no dependencies at all.
    assert contents == {
        frozenset(SHARED | set(PACKAGES)),
        frozenset(SHARED | HTTP | set(PACKAGES)),
        frozenset({"functions"}),
    }
    for asset in folders:
        assert not list(asset.rglob("*.pyc"))
        if not (asset / "botocore").exists():
            files_of_console = {path.name for path in asset.rglob("*") if path.is_file()}
            assert files_of_console == {"__init__.py", "handler.py", "index.html"}
            continue
        services = {entry.name for entry in (asset / "botocore" / "data").iterdir() if entry.is_dir()}
        assert services == AWS_SERVICES


def test_functions_use_no_aws_service_that_the_asset_leaves_out() -> None:
    services = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(
                        func=ast.Name(id="client") | ast.Attribute(attr="client"),
                        args=[ast.Constant(value=str(name)), *_],
                    ):
                        services.add(name)
    assert services
    assert services <= AWS_SERVICES


LOCKS = dict.fromkeys(("api", "sweep", "dead_letters", "scale"), LOCK) | {"webhooks": WEBHOOK_LOCK}


@pytest.fixture(scope="module")
def assets_for_this_host(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """Build the same locks for the Python and the processor of this machine."""
    folders = {lock: tmp_path_factory.mktemp("asset") for lock in (LOCK, WEBHOOK_LOCK)}
    for lock, folder in folders.items():
        build(folder, lock=lock, target=Target(python=None, platform=None))
    return folders


@pytest.mark.parametrize("name", LOCKS)
def test_a_handler_can_be_imported_with_its_asset_only(
    assets_for_this_host: dict[Path, Path], name: str
) -> None:
    """The emulator's own packages would hide a missing one."""
    asset = assets_for_this_host[LOCKS[name]]
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import importlib;"
        "assert callable(importlib.import_module(sys.argv[2]).handler)"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_SERVICE_NAME": name,
        "TASK_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:tasks",
        "RESULT_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:results",
        "OUTPUT_BUCKET": "output",
        "UPLOAD_BUCKET": "upload",
        "TASK_BUCKET": "large",
        "TASK_TABLE": "table",
        "ARCHIVE_PREFIX": "dead-letters/",
        "RUNTIMES": '[{"name":"r","type":"sdwebui","modelFilename":"m","dynamicModel":false,"queueUrl":"https://q"}]',
        "CLUSTER": "cluster",
        "SERVICES": "{}",
        "EVENTS_QUEUE_URL": "queue",
        "WEBHOOK_QUEUE_URL": "queue",
        "WEBHOOK_SECRET_ARN": "secret",
    }
    completed = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(asset), f"functions.{name}.handler"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
