"""Run the CDK's command line of this checkout."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent

Cdk = Callable[..., None]
"""Runs the CDK with these arguments, and raises StepFailed if it fails."""


class StepFailed(Exception):
    """A step of a deployment did not work; the message says what to do."""


def cdk_of(config: Path) -> Cdk:
    """Return the CDK for a settings file; it prints its progress to this terminal."""
    local = ROOT / "node_modules" / ".bin" / "cdk"
    program = str(local) if local.exists() else shutil.which("cdk")
    environment = {
        **os.environ,
        # Makes "python3" in cdk.json the interpreter that runs this code.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "CDK_CONFIG_PATH": str(config.resolve()),
    }

    def run(*arguments: str) -> None:
        if program is None:
            raise StepFailed("the CDK is not installed: run `make setup`")
        done = subprocess.run([program, *arguments], cwd=ROOT, env=environment, check=False)
        if done.returncode:
            raise StepFailed(f"`cdk {' '.join(arguments)}` ended with status {done.returncode}, see above")

    return run
