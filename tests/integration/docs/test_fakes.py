"""The commands and programs in the documents of the two fake engines run, and the command that reads one."""

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx
import pytest

from local.fakes.comfyui.process import running, write_checkpoint, write_models
from local.process import Process
from runtimes.comfyui.catalogue import Catalogue
from tests.support.comfyui import text_to_image
from tests.support.documents import ROOT, Block, blocks, shell_blocks

pytestmark = pytest.mark.long

START_SECONDS: Final = 30.0
DOCUMENTS: Final = ("docs/fake-comfyui.md", "docs/fake-sdwebui.md")
PLACE_OF_THE_JOB: Final = "    ...  #"
CHECKPOINT: Final = "v1-5-pruned-emaonly.safetensors"


def _queue_workflow(url: str) -> None:
    httpx.post(f"{url}/prompt", json={"prompt": text_to_image()}, trust_env=False).raise_for_status()


def _request_picture(url: str) -> None:
    def request() -> None:
        with suppress(httpx.HTTPError):  # the program ends before the answer is there
            httpx.post(f"{url}/sdapi/v1/txt2img", json={"prompt": "a", "steps": 1}, trust_env=False)

    threading.Thread(target=request, daemon=True).start()


JOBS: Final[dict[str, tuple[str, Callable[[str], None]]]] = {
    "docs/fake-comfyui.md": ("comfyui.url", _queue_workflow),
    "docs/fake-sdwebui.md": ("web_ui.url", _request_picture),
}


@pytest.mark.parametrize(
    "block", [one for one in blocks("python") if one.document in DOCUMENTS], ids=lambda block: block.name
)
def test_the_program_waits_for_a_job_that_hangs(
    block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_models(tmp_path)
    write_checkpoint(tmp_path / CHECKPOINT, b"a checkpoint")
    url, send_job = JOBS[block.document]
    assert PLACE_OF_THE_JOB in block.text
    program = block.text.replace(PLACE_OF_THE_JOB, f"    send_job({url})  #")
    exec(program, {"folder": tmp_path, "send_job": send_job})  # noqa: S102 - it is the document's
    printed = capsys.readouterr().out
    names = next(line for line in block.text.splitlines() if "control.stats()" in line).partition("# ")[2]
    assert [name for name in names.removesuffix(", …").split(", ") if f"{name!r}" not in printed] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_command_starts_the_fake(document: str, tmp_path: Path) -> None:
    (block,) = shell_blocks(document)
    words = shlex.split(block.text, comments=True)
    write_checkpoint(tmp_path / "models" / CHECKPOINT, b"a checkpoint")
    command = [sys.executable, *words[1:], "--port", "0"]
    with Process("fake", command, environment={"PYTHONPATH": str(ROOT)}, cwd=str(tmp_path)) as fake:
        line = fake.wait_for_line("fake ready url=http://", timeout=START_SECONDS)
    assert "control=http://" in line
    assert "pid=" in line


def test_the_command_makes_the_catalogue_of_a_comfyui(tmp_path: Path) -> None:
    (command,) = (block.text for block in shell_blocks("docs/comfyui.md") if "node_catalogue" in block.text)
    base = tmp_path / "ComfyUI"
    write_models(base / "models")
    (base / "input").mkdir()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "runtimes" / "comfyui" / "catalogues").mkdir(parents=True)
    with running(models=base / "models", input=base / "input") as comfyui:
        script = command.replace("http://127.0.0.1:8188", comfyui.url)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env=environment, check=True, timeout=60
        )
    made = (tmp_path / "runtimes" / "comfyui" / "catalogues" / "mine.json").read_text()
    classes = Catalogue.from_json(made).classes
    assert {"KSampler", "LoadImage", "SaveImage"} <= classes.keys()
    assert classes["CheckpointLoaderSimple"].inputs["ckpt_name"].kind == "model:checkpoints"
    assert sorted(path.name for path in (base / "input").iterdir()) == [], "the markers are removed"
