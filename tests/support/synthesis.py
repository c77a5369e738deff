"""Run the CDK app and read the templates that it writes."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.template import Template

ROOT = Path(__file__).parents[2]

# The file that AWS's Guidance for Asynchronous Inference with Stable Diffusion (sd-on-eks 1.1, MIT-0) ships.
SD_ON_EKS = Path(__file__).with_name("sd_on_eks.yaml")

TWO_RUNTIMES = Path(__file__).with_name("two_runtimes.yaml")
THREE_RUNTIMES = Path(__file__).with_name("three_runtimes.yaml")


@dataclass(frozen=True)
class Synthesis:
    """The result of one run of app.py: its folder, its status and its output."""

    folder: Path
    status: int
    output: str

    def template(self, stack: str) -> Template:
        """Return the template of a stack by its construct id."""
        return Template(self.read(f"{stack}.template.json"))

    def read(self, name: str) -> Any:
        """Return a JSON file of the cloud assembly."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))


def synthesize(
    folder: Path,
    *,
    region: str = "us-east-1",
    account: str | None = None,
    config: Path | None = None,
    context: Mapping[str, str] | None = None,
) -> Synthesis:
    """Run app.py as the CDK CLI does, without the CLI."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))},
        "CDK_OUTDIR": str(folder),
        "CDK_DEFAULT_REGION": region,
        "CDK_CONTEXT_JSON": json.dumps(
            json.loads((ROOT / "cdk.json").read_text())["context"] | dict(context or {})
        ),
    }
    if account:
        environment["CDK_DEFAULT_ACCOUNT"] = account
    if config:
        environment["CDK_CONFIG_PATH"] = str(config)
    completed = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return Synthesis(folder, completed.returncode, completed.stdout + completed.stderr)
