"""Fixtures of the tests of `client/`: its command, run beside a running `make local`."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.announcement import announce
from local.emulator import remove_aws_variables
from local.pipeline import Pipeline
from tests.support.client_command import CLIENT, Command
from tests.support.pipeline import EXAMPLES

WORKFLOWS = "comfyruntime"


@pytest.fixture(scope="session")
def announcement(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Announce the pipeline in a folder for temporary files of its own, and return that folder."""
    folder = tmp_path_factory.mktemp("tmp")
    with announce(pipeline, folder):
        yield folder


@pytest.fixture
def command(announcement: Path, tmp_path: Path) -> Command:
    """Return the command of a user who has no profiles but runs `make local`, in a folder with a picture."""
    inherited = remove_aws_variables(os.environ).items()
    environment = {name: value for name, value in inherited if not name.startswith("SD_ON_ECS")}
    home = str(tmp_path / "home")
    own = {
        "TMPDIR": str(announcement),
        "HOME": home,
        "XDG_CONFIG_HOME": home,
        "COLUMNS": "120",
        "LANG": "C.UTF-8",
    }
    shutil.copy(EXAMPLES / "cat.png", tmp_path)
    return Command(tmp_path, environment | own | {"PYTHONPATH": str(CLIENT)})


@pytest.fixture
def queue_at_rest(pipeline: Pipeline) -> Iterator[str]:
    """Return a runtime whose worker is suspended, so that its tasks stay queued."""
    worker = next(each for each in pipeline.workers if each.runtime.name == WORKFLOWS)
    worker.consumer.send(signal.SIGSTOP)
    yield WORKFLOWS
    worker.consumer.send(signal.SIGCONT)
