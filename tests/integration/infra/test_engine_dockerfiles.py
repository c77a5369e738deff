"""The Dockerfiles of SD Web UI: what they promise, and the steps that run without Docker."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser

from infra.runtime_types.sdwebui import WebUi
from tests.support.synthesis import ROOT

FOLDER = ROOT / "container" / "sdwebui"
# What the recorded servers were (tests/contract).
COMMITS = {
    "automatic1111": "82a973c04367123ae98bd9abdf80d9eda9b910e2",
    "forge": "dfdcbab685e57677014f05a3309b48cc87383167",
}
NAMES = pytest.mark.parametrize("name", COMMITS)


@pytest.fixture
def steps(name: str, tmp_path: Path) -> list[tuple[str, str]]:
    copy = tmp_path / "Dockerfile"
    shutil.copy(FOLDER / name / "Dockerfile", copy)  # the parser opens its file for writing
    structure: list[dict[str, Any]] = DockerfileParser(str(copy)).structure
    return [(line["instruction"], line["value"]) for line in structure if line["instruction"] != "COMMENT"]


def _values(steps: list[tuple[str, str]], instruction: str) -> list[str]:
    return [value for name, value in steps if name == instruction]


@NAMES
def test_every_source_is_pinned_and_the_server_is_the_recorded_one(
    steps: list[tuple[str, str]], name: str
) -> None:
    (sources,) = (run for run in _values(steps, "RUN") if "fetch()" in run)
    fetched = re.findall(r"fetch (https\S+) (\S+) (\S+)", sources)
    assert {place: commit for _, commit, place in fetched}["/app"] == COMMITS[name]
    assert all(re.fullmatch(r"[0-9a-f]{40}", commit) for _, commit, _ in fetched)


@NAMES
def test_the_last_stage_is_slim_and_has_neither_compilers_nor_models(
    steps: list[tuple[str, str]], name: str
) -> None:
    first, *other_stages = _values(steps, "FROM")
    assert re.fullmatch(r"\S+/python:3\.11\.\d+-slim-[a-z]+ AS base", first), name
    assert other_stages[-1] == "base"
    last = steps[max(index for index, (instruction, _) in enumerate(steps) if instruction == "FROM") :]
    assert not any("build-essential" in value or "pip install" in value for _, value in last)
    assert any("rm -rf /app/models" in value for value in _values(last, "RUN"))


@NAMES
def test_it_runs_as_the_consumers_user_and_gets_the_gpu(steps: list[tuple[str, str]], name: str) -> None:
    assert _values(steps, "USER") == ["10001:10001"], name
    (variables,) = _values(steps, "ENV")
    assert "NVIDIA_VISIBLE_DEVICES=all" in variables
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in variables


@NAMES
def test_the_defaults_of_the_settings_fit(steps: list[tuple[str, str]], name: str) -> None:
    (run_step,) = (run for run in _values(steps, "RUN") if "ln -s" in run)
    assert f"ln -s {WebUi().model_directory} /app/models" in run_step
    assert _values(steps, "EXPOSE") == [str(WebUi().port)], name


@NAMES
def test_the_largest_packages_are_layers_of_their_own(
    steps: list[tuple[str, str]], name: str, tmp_path: Path
) -> None:
    """The step itself, and what the last stage copies, without Docker."""
    packages = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    for package in ("nvidia", "torch", "pillow"):
        (packages / package).mkdir(parents=True)
    (split,) = (run for run in _values(steps, "RUN") if "/large" in run)
    command = re.sub(r" (/large|/venv)", rf" {tmp_path}\1", split)
    subprocess.run(["/bin/sh", "-ec", command], cwd=tmp_path, check=True)
    copied = [copy.split()[1:] for copy in _values(steps, "COPY") if copy.startswith("--from=dependencies")]
    assert [len(list(Path(f"{tmp_path}{source}").iterdir())) for source, _ in copied[:-1]] == [0, 0], name
    assert copied[-1] == ["/venv", "/venv"]
    where = [f"/venv/lib/python3.11/site-packages/{package}" for package in ("nvidia", "torch")]
    assert [target for _, target in copied[:-1]] == where
    assert [folder.name for folder in packages.iterdir()] == ["pillow"]


@NAMES
def test_packages_are_locked(steps: list[tuple[str, str]], name: str) -> None:
    (install,) = (run for run in _values(steps, "RUN") if "-r /requirements.txt" in run)
    assert "--require-hashes" in install
    lock = (FOLDER / name / "requirements.txt").read_text()
    locked = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^ ]+) \\$", lock, re.MULTILINE))
    packages = re.findall(
        r"^([A-Za-z0-9_.-]+)==(\S+)$", (FOLDER / name / "requirements.in").read_text(), re.MULTILINE
    )
    assert len(packages) > 30
    for package, version in packages:
        assert locked[package.lower().replace("_", "-").replace(".", "-")].removesuffix(
            ".0"
        ) == version.removesuffix(".0"), package


@NAMES
def test_the_sources_are_fetched_by_their_commits(
    steps: list[tuple[str, str]], name: str, tmp_path: Path
) -> None:
    """The step itself, with every repository replaced by one on this machine."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        **{
            f"GIT_{who}_{field}": "a@b.example"
            for who in ("AUTHOR", "COMMITTER")
            for field in ("NAME", "EMAIL")
        },
    }
    program = (
        "git init -q repo && cd repo && git config uploadpack.allowAnySHA1InWant true && "
        "echo wanted > file && git add file && git commit -qm 1 && git rev-parse HEAD && "
        "git commit -q --allow-empty -m 2"
    )
    completed = subprocess.run(
        ["/bin/sh", "-ec", program], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    (sources,) = (run for run in _values(steps, "RUN") if "fetch()" in run)
    command = re.sub(r"https://\S+", f"file://{tmp_path}/repo", sources)
    command = re.sub(r"[0-9a-f]{40}", completed.stdout.strip(), command)
    command = re.sub(r" (/app|/clip)", rf" {tmp_path}\1", command)
    subprocess.run(["/bin/sh", "-ec", command], cwd=tmp_path, env=environment, check=True)
    assert len(list(tmp_path.rglob("repositories/*/file"))) == (5 if name == "automatic1111" else 3)
    assert (tmp_path / "app" / "file").read_text() == "wanted\n"


@NAMES
def test_the_entry_point_starts_the_server_without_the_roles_credentials(name: str, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(
        "#!/usr/bin/env python3\nimport json, os, sys\nprint(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
    )
    python.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/x",
        "CONFIG_FILE": "/opt/sd-on-ecs/settings.json",
        "SD_MODEL_CHECKPOINT": "a b.safetensors",
    }
    completed = subprocess.run(
        [str(FOLDER / name / "start.sh"), "--listen"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    arguments, environment = json.loads(completed.stdout)
    assert [key for key in environment if key.startswith("AWS_CONTAINER")] == []
    assert arguments[:2] == ["launch.py", "--skip-prepare-environment"]
    assert arguments[arguments.index("--ui-settings-file") + 1] == "/opt/sd-on-ecs/settings.json"
    assert arguments[arguments.index("--ckpt") + 1] == "models/Stable-diffusion/a b.safetensors"
    assert arguments[arguments.index("--port") + 1] == str(WebUi().port)
    assert arguments[-1] == "--listen"
