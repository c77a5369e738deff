"""Every snippet of the client's README runs, and its recorded session is what a terminal shows."""

import json
import re
import sys
from pathlib import Path
from typing import Final

import pytest

from local.pipeline import Pipeline
from tests.support.client_command import PROGRAM, Command
from tests.support.screen import screen

ROOT: Final = Path(__file__).parents[3]
README: Final = (ROOT / "client" / "README.md").read_text(encoding="utf-8")
ROOT_README: Final = (ROOT / "README.md").read_text(encoding="utf-8")

# Installs from the checkout into a folder of this test, without a network.
PIP: Final = (
    "--quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation --target $HOME/site"
)


def blocks(language: str, text: str = README) -> list[str]:
    """Return the blocks of a document in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


PYTHON: Final = [*blocks("python"), *blocks("python", ROOT_README)]


@pytest.fixture
def user(command: Command, pipeline: Pipeline) -> Command:
    """Return the command of a user with the files that the README names, and AWS credentials."""
    programs = command.folder / "bin"
    programs.mkdir()
    # The API of the emulator has another address than the one in the outputs of the stack.
    elsewhere = f'[ "$1" != login ] || set -- --endpoint {pipeline.deployment.api_url} "$@"'
    for name, lines in (
        ("sd-on-ecs", f'{elsewhere}\nexec {" ".join(PROGRAM)} "$@"'),
        ("pip", f'exec {sys.executable} -m pip "$@" {PIP}'),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{lines}\n")
        (programs / name).chmod(0o755)
    request = json.loads((ROOT / "examples" / "v1alpha2-comfyui-image-to-image.json").read_text())
    (command.folder / "flow.json").write_text(json.dumps(request["task"]["content"]["prompt"]))
    (command.folder / "style.safetensors").write_bytes(b"weights")
    (command.folder / "client").symlink_to(ROOT / "client")
    emulated = pipeline.aws.environment(command.environment)
    own = {"PATH": f"{programs}:{command.environment['PATH']}"}
    return Command(command.folder, {**command.environment, **emulated, **own})


@pytest.mark.long
@pytest.mark.timeout(900)  # it makes a dozen images, one after the other
def test_the_commands_of_the_readme_run(user: Command) -> None:
    for block in blocks("sh"):
        user.run(["bash", "-euo", "pipefail", "-c", block], {})
    assert (user.folder / "cats" / "contact-sheet.png").exists()
    assert (user.folder / "home" / "site" / "sd_on_ecs" / "py.typed").exists()


@pytest.mark.long
@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_the_programs_of_both_readmes_run(user: Command, pipeline: Pipeline, block: str) -> None:
    where = {
        "SD_ON_ECS_ENDPOINT": pipeline.deployment.api_url,
        "SD_ON_ECS_KEY": pipeline.deployment.api_key,
    }
    user.run([sys.executable, "-c", block], where)


@pytest.mark.long
def test_the_recorded_session_is_what_a_terminal_shows(user: Command) -> None:
    (recorded,) = blocks("console")
    commands = re.findall(r"^\$ (.*)$", recorded, re.MULTILINE)
    shown = []
    for line in commands:
        with user.on_terminal("bash", "-c", line) as running:
            running.end()
        shown.append(f"$ {line}\n{screen(running.written)}\n")
    assert comparable("".join(shown)) == comparable(recorded), "".join(shown)


def test_the_first_readme_shows_the_beginning_of_the_recorded_session() -> None:
    (recorded,), (shown,) = blocks("console"), blocks("console", ROOT_README)
    assert recorded.startswith(shown.replace(".venv/bin/", ""))


def comparable(session: str) -> str:
    """Return a session without what differs each time: times, and the marks in the names of images."""
    marks = re.sub(r"-[0-9a-f]{4}-(\d+\.)", r"-ffff-\1", session)
    times = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", marks)
    return re.sub(r"\d+:\d\d:\d\d", "0:00:00", times)
