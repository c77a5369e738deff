"""The client's snippets in all documents run, and its recorded session is what a terminal shows."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from local.pipeline import Pipeline
from tests.support.client_command import PROGRAM, Command
from tests.support.comfyui import text_to_image
from tests.support.documents import shell_blocks
from tests.support.screen import screen

ROOT: Final = Path(__file__).parents[3]
README: Final = (ROOT / "client" / "README.md").read_text(encoding="utf-8")
ROOT_README: Final = (ROOT / "README.md").read_text(encoding="utf-8")

OTHERS: Final = ("docs/tutorial.md", "docs/models.md", "docs/comfyui.md")
MODELS: Final = (
    "v1-5-pruned-emaonly.safetensors",
    "dream.safetensors",
    "style.safetensors",
    "flux.safetensors",
)
FOLDER_ON_THE_INTERNET: Final = re.compile(r"https://(huggingface\.co|example\.com)/([\w.-]+/)*")

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
    for name in MODELS:
        (command.folder / name).write_bytes(b"weights")
    for folder in ("client", "examples"):
        (command.folder / folder).symlink_to(ROOT / folder)
    emulated = pipeline.aws.environment(command.environment)
    own = {"PATH": f"{programs}:{command.environment['PATH']}"}
    return Command(command.folder, {**command.environment, **emulated, **own})


@pytest.fixture
def bucket_without_models(pipeline: Pipeline) -> Iterator[None]:
    """Remove the models that commands upload, also afterwards: the test of `make deploy` needs that."""
    s3, bucket = pipeline.aws.client("s3"), pipeline.deployment.outputs["ModelBucket"]

    def remove() -> None:
        for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            if entry["Key"].rpartition("/")[2] in MODELS:
                s3.delete_object(Bucket=bucket, Key=entry["Key"])

    remove()
    yield
    remove()


@pytest.mark.long
@pytest.mark.usefixtures("bucket_without_models")
@pytest.mark.timeout(900)  # it makes a dozen images, one after the other
def test_the_commands_of_the_readme_run(user: Command) -> None:
    for block in blocks("sh"):
        user.run(["bash", "-euo", "pipefail", "-c", block], {})
    assert (user.folder / "cats" / "contact-sheet.png").exists()
    assert (user.folder / "home" / "site" / "sd_on_ecs" / "py.typed").exists()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("bucket_without_models")
def test_the_commands_of_the_other_documents_run(user: Command) -> None:
    (user.folder / ".venv").symlink_to(user.folder)
    (user.folder / "bin" / "make").symlink_to("/bin/true")
    (user.folder / "flow.json").write_text(json.dumps(text_to_image()))
    for document in OTHERS:
        commands = [block.text for block in shell_blocks(document) if "sd-on-ecs" in block.text]
        assert commands, document
        for text in commands:
            user.run(["bash", "-euo", "pipefail", "-c", FOLDER_ON_THE_INTERNET.sub("", text)], {})
    made = [path for path in user.folder.glob("*.png") if path.name != "cat.png"]
    assert len(made) == 3, "two of the tutorial, one of the workflow"


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
