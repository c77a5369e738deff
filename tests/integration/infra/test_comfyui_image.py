"""ComfyUI's Dockerfile: its properties, because it cannot be built without Docker and a network."""

import os
import re
import subprocess
from pathlib import Path

from runtimes.comfyui.catalogue import load
from tests.support.synthesis import ROOT

FOLDER = ROOT / "container" / "comfyui"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")


def test_every_package_is_pinned_by_hash_and_installed_only_by_it() -> None:
    text = (FOLDER / "requirements.txt").read_text(encoding="utf-8").replace("\\\n", "")
    packages = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert packages
    assert all(re.match(r"[A-Za-z0-9._-]+==\S+.* --hash=sha256:[0-9a-f]{64}", line) for line in packages)
    assert DOCKERFILE.count("pip install") == DOCKERFILE.count("--require-hashes") == 1


def test_the_sources_are_one_commit_of_the_catalogues_version_without_custom_nodes() -> None:
    assert re.search(r"ComfyUI\.git \\\n +[0-9a-f]{40} ", DOCKERFILE)
    assert f"""grep --quiet '"{load().version}"' /app/comfyui_version.py""" in DOCKERFILE
    assert f"ComfyUI {load().version} " in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "rm -rf /app/custom_nodes/*" in DOCKERFILE


def test_it_runs_as_the_consumers_user() -> None:
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)


def test_the_server_gets_no_credentials_and_loads_no_foreign_nodes(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$@"; env\n', encoding="utf-8")
    python.chmod(0o755)
    secret = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/1", "PORT": "8080"}
    environment = os.environ | secret | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    started = subprocess.run(
        [FOLDER / "start.sh", "--listen"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    flags = started.splitlines()[0].split()
    assert {"--disable-api-nodes", "--disable-all-custom-nodes", "--disable-metadata", "--listen"} <= {*flags}
    assert "AWS_CONTAINER_CREDENTIALS" not in started
