"""The consumer's Dockerfile: its properties, and its steps executed without Docker."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser

from infra.compute.worker_task import HEALTH_CHECK, MODEL_FOLDER
from tests.support.synthesis import ROOT

pytestmark = pytest.mark.xdist_group("infra")

DOCKERFILE = ROOT / "container" / "consumer" / "Dockerfile"


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the Dockerfile's instructions, as `instruction` and `value`."""
    copy = tmp_path_factory.mktemp("dockerfile") / "Dockerfile"
    shutil.copy(DOCKERFILE, copy)  # the parser opens its file for writing
    structure: list[dict[str, Any]] = DockerfileParser(str(copy)).structure
    return [step for step in structure if step["instruction"] != "COMMENT"]


def _values(steps: list[dict[str, Any]], instruction: str) -> list[str]:
    return [step["value"] for step in steps if step["instruction"] == instruction]


def test_the_base_is_slim_and_pinned(steps: list[dict[str, Any]]) -> None:
    first, *other_stages = _values(steps, "FROM")
    assert re.fullmatch(r"\S+/python:3\.\d+\.\d+-slim-[a-z]+ AS base", first)
    assert all(other.split()[0] == "base" for other in other_stages)


def test_it_runs_as_an_unprivileged_user(steps: list[dict[str, Any]]) -> None:
    (user,) = _values(steps, "USER")
    assert user == "10001:10001"
    names = [step["instruction"] for step in steps]
    assert "RUN" not in names[names.index("USER") :]


def test_sigterm_reaches_python(steps: list[dict[str, Any]]) -> None:
    assert _values(steps, "ENTRYPOINT") == ['["python", "-m", "container.consumer"]']
    assert _values(steps, "CMD") == []
    assert _values(steps, "STOPSIGNAL") == []


def test_the_folders_that_it_writes_to_are_volumes_of_its_user(steps: list[dict[str, Any]]) -> None:
    """ECS gives an empty volume the owner of the VOLUME path."""
    (volumes,) = _values(steps, "VOLUME")
    (run_step,) = (run for run in _values(steps, "RUN") if "useradd" in run)
    assert volumes == f'["{MODEL_FOLDER}", "/opt/sd-on-ecs", "/tmp"]'
    assert f"chown 10001:10001 {MODEL_FOLDER} /opt/sd-on-ecs" in run_step
    names = [step["instruction"] for step in steps]
    assert names.index("VOLUME") > max(index for index, name in enumerate(names) if name == "RUN")


def test_it_copies_only_the_listed_packages(steps: list[dict[str, Any]]) -> None:
    copied = [value.split() for value in _values(steps, "COPY") if not value.startswith("--from")]
    assert [source for source, _ in copied] == [
        "container/consumer/requirements.txt",
        "domain",
        "runtimes",
        "adapters",
        "container/__init__.py",
        "container/consumer",
    ]
    assert _values(steps, "ADD") == []


def test_dependencies_are_locked(steps: list[dict[str, Any]]) -> None:
    (install,) = (run for run in _values(steps, "RUN") if "pip install" in run)
    assert "--require-hashes" in install
    assert "--only-binary=:all:" in install


@pytest.fixture(scope="module")
def image(steps: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Execute the Dockerfile's steps in an empty folder: install, copy and compile."""
    folder = tmp_path_factory.mktemp("image")
    shutil.copy(ROOT / "container" / "consumer" / "requirements.txt", folder / "requirements.txt")
    (folder / "app").mkdir()
    for value in _values(steps, "COPY"):
        source, _, destination = value.rpartition(" ")
        if source.startswith("--from") or destination.startswith("/"):
            continue
        target = folder / "app" / destination
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, target)
    for run in _values(steps, "RUN"):
        if "useradd" in run:
            continue
        command = run.replace("/requirements.txt", f"{folder}/requirements.txt").replace(
            "/venv", f"{folder}/venv"
        )
        command = command.replace("--no-cache-dir ", "")
        path = f"{folder}/venv/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        subprocess.run(
            ["/bin/sh", "-ec", command],
            cwd=folder / "app",
            env={"PATH": path, "HOME": str(folder)},
            check=True,
        )
    return folder


def test_the_built_consumer_starts_and_names_missing_settings_in_one_line(image: Path) -> None:
    completed = subprocess.run(
        [str(image / "venv" / "bin" / "python"), "-m", "container.consumer"],
        cwd=image / "app",
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    output = (completed.stdout + completed.stderr).strip()
    assert completed.returncode not in (0, 75)
    assert "TASK_QUEUE_URL" in output
    assert "Traceback" not in output
    assert len(output.splitlines()) == 1


def test_the_health_check_of_the_task_runs_in_the_image(image: Path) -> None:
    python, *arguments = HEALTH_CHECK[1:]
    command = [argument.replace("/app/", f"{image}/app/") for argument in arguments]
    completed = subprocess.run(
        [str(image / "venv" / "bin" / python), *command],
        env={"HEARTBEAT_FILE": str(image / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (completed.returncode, completed.stderr[:12]) == (1, "no heartbeat")


def test_with_the_settings_file_web_ui_saves_no_images_and_fetches_no_links(image: Path) -> None:
    file = image / "app/container/consumer/engines/sdwebui/image/settings.json"
    settings = json.loads(file.read_text())
    assert settings["samples_save"] is settings["grid_save"] is settings["api_enable_requests"] is False
    assert settings["disable_mmap_load_safetensors"] is True
