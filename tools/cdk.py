"""Run the CDK's command line program that is installed in this checkout."""

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


def cdk_for(config: Path) -> Cdk:
    """Return a function that runs the CDK for a settings file; its progress is printed to this terminal."""
    installed = ROOT / "node_modules" / ".bin" / "cdk"
    program = str(installed) if installed.exists() else shutil.which("cdk")
    environment = {
        **os.environ,
        # Makes "python3" in cdk.json the interpreter that runs this code.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "CDK_CONFIG_PATH": str(config.resolve()),
    }

    def run(*arguments: str) -> None:
        if program is None:
            raise StepFailed("the CDK is not installed: run `make setup`")
        process = subprocess.run([program, *arguments], cwd=ROOT, env=environment, check=False)
        if process.returncode:
            raise StepFailed(f"`cdk {' '.join(arguments)}` ended with status {process.returncode}, see above")

    return run
