"""The app, synthesized once for all tests of its templates."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.infra.template import Template

ROOT = Path(__file__).parents[2]

# The published file of sd-on-eks (MIT-0), as its users bring it.
ANCESTOR = Path(__file__).parent / "ancestor.yaml"


@dataclass(frozen=True)
class Synthesis:
    """What one run of app.py left: its folder, its status and what it said."""

    folder: Path
    status: int
    said: str

    def template(self, stack: str) -> Template:
        """Return the template of a stack by its construct id."""
        return Template(self.read(f"{stack}.template.json"))

    def read(self, name: str) -> Any:
        """Return a JSON file of the cloud assembly."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))


def synthesize(folder: Path, *, region: str = "us-east-1", config: Path | None = None) -> Synthesis:
    """Run app.py as the CDK CLI does, without the CLI."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))},
        "CDK_OUTDIR": str(folder),
        "CDK_DEFAULT_REGION": region,
        "CDK_CONTEXT_JSON": json.dumps(json.loads((ROOT / "cdk.json").read_text())["context"]),
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    }
    if config:
        environment["CDK_CONFIG_PATH"] = str(config)
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return Synthesis(folder, done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="session")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    """Synthesize config.yaml for a standard region."""
    return _good(synthesize(tmp_path_factory.mktemp("standard")))


@pytest.fixture(scope="session")
def china(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    """Synthesize config.yaml for a China region."""
    return _good(synthesize(tmp_path_factory.mktemp("china"), region="cn-northwest-1"))


@pytest.fixture(scope="session")
def ancestors(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    """Synthesize sd-on-eks's own settings file."""
    return _good(synthesize(tmp_path_factory.mktemp("ancestor"), config=ANCESTOR))


@pytest.fixture(scope="session")
def core(standard: Synthesis) -> Template:
    """Return the core stack's template."""
    return standard.template("Core")


@pytest.fixture(scope="session")
def compute(standard: Synthesis) -> Template:
    """Return the compute stack's template."""
    return standard.template("Compute")


def _good(synthesis: Synthesis) -> Synthesis:
    assert synthesis.status == 0, synthesis.said
    return synthesis
