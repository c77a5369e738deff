"""Synthesize the CloudFormation templates of a settings file, with a chosen kind of NAT."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml

from tools.cdk import ROOT, StepFailed
from tools.cost.prices import REGION

STACKS: Final = ("Core", "Compute")

_ACCOUNT: Final = "000000000000"
"""The account in cdk.context.json, which has what the CDK would look up there, such as a machine image."""

Template = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The templates of the stacks of one settings file."""

    templates: tuple[Template, ...]

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Return the resources of all stacks, by stack and logical id."""
        return {
            f"{stack}/{name}": resource
            for stack, template in zip(STACKS, self.templates, strict=True)
            for name, resource in template["Resources"].items()
        }

    def properties(self, resource_type: str) -> list[dict[str, Any]]:
        """Return the properties of all resources of a type."""
        return [
            resource.get("Properties", {})
            for resource in self.resources.values()
            if resource["Type"] == resource_type
        ]


def synthesize(config: Path, *, nat: str | None = None) -> Deployment:
    """Synthesize a settings file without an account; raise StepFailed with what the CDK says.

    `nat` (`gateway` or `instance`) replaces the file's setting; None leaves it. It has no effect on an
    existing VPC, whose NAT is not part of the templates.
    """
    with TemporaryDirectory() as temporary:
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))
        network = settings.get("network") or {}
        if nat is not None and "vpcId" not in network:
            settings["network"] = network | {"nat": nat}
        file = Path(temporary, config.name)
        file.write_text(yaml.safe_dump(settings), encoding="utf-8")
        folder = Path(temporary, "cdk.out")
        environment = os.environ | {
            "CDK_CONFIG_PATH": str(file),
            "CDK_OUTDIR": str(folder),
            "CDK_DEFAULT_ACCOUNT": _ACCOUNT,
            "CDK_DEFAULT_REGION": REGION,
            "CDK_CONTEXT_JSON": json.dumps(_cdk_context()),
        }
        process = subprocess.run(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if process.returncode:
            raise StepFailed(f"{config} cannot be synthesized:\n{process.stdout}{process.stderr}")
        files = [folder / f"{stack}.template.json" for stack in STACKS]
        return Deployment(tuple(json.loads(file.read_text(encoding="utf-8")) for file in files))


def _cdk_context() -> dict[str, Any]:
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    return context | dict(json.loads((ROOT / "cdk.context.json").read_text(encoding="utf-8")))
