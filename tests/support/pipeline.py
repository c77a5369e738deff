"""A running pipeline for tests: one for each test process, started once.

Whoever needs it elsewhere imports these fixtures in a conftest.py of its own.
"""

import fcntl
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.deploy import synthesize
from local.emulator import run_emulator
from local.pictures import serve_folder
from local.pipeline import Pipeline, run_pipeline
from tests.support.synthesis import THREE_RUNTIMES

# A copy of a message that is being worked on waits for the rest of the lease: seconds, for tests.
SETTINGS = {"VISIBILITY_SECONDS": "10", "METRICS_SECONDS": "2"}
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return the synthesized app, which is created once for all test processes of a run."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    folder = shared / "cdk.out"
    with (shared / "cdk.out.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "manifest.json").exists():
            with run_emulator() as aws:
                synthesize(aws, folder, config=THREE_RUNTIMES)
    return folder


@pytest.fixture(scope="session")
def pipeline(assembly: Path) -> Iterator[Pipeline]:
    """Run emulator, core stack, and a worker for each of three runtimes."""
    with run_pipeline(assembly=assembly, environment=SETTINGS) as running:
        yield running


@pytest.fixture(scope="session")
def pictures() -> Iterator[str]:
    """Serve examples/ by HTTP; return the address without a trailing slash."""
    with serve_folder(EXAMPLES) as address:
        yield address


@pytest.fixture
def task_id(request: pytest.FixtureRequest) -> str:
    """Return a unique id with the name of the test."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name).strip("-")
    return f"{name[:80]}-{secrets.token_hex(4)}"


def group_by_pipeline(items: list[pytest.Item]) -> None:
    """Send tests that share the pipeline to one process (`--dist loadgroup`)."""
    for item in items:
        if "pipeline" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("pipeline"))
            item.add_marker(pytest.mark.e2e)
