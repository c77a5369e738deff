"""What works without the optional packages, and what an error says about them."""

import os
import subprocess
import sys

import pytest

from tests.support.client_command import CLIENT

WITHOUT = (
    "import sys; sys.modules |= {'boto3': None, 'PIL': None}; from sd_on_ecs.cli.app import main; main()"
)


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(CLIENT), "SD_ON_ECS_ENDPOINT": "http://127.0.0.1:9"}
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        env=environment | {"SD_ON_ECS_KEY": "key"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (("login", "stack"), "pip install './client[aws]'"),
        (("models", "list", "--bucket", "b"), "pip install './client[aws]'"),
        (("txt2img", "a cat", "--runtime", "sd", "--vary", "seed=1..2"), "pip install './client[images]'"),
    ],
)
def test_a_command_that_needs_an_optional_package_names_it(arguments: tuple[str, ...], missing: str) -> None:
    done = run(*arguments)
    assert (done.returncode, missing in done.stderr) == (2, True), done.stderr


def test_everything_else_works_without_them() -> None:
    assert run("--help").returncode == 0
