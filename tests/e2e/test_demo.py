"""`make demo` and `make local`, run as by a person."""

import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from local.fakes.comfyui.process import running, write_checkpoint
from local.process import Process
from tests.support.documents import blocks
from tests.support.processes import EXIT_SECONDS, MARK_VARIABLE, marked_processes, wait_until_all_exited

ROOT = Path(__file__).parents[2]
START_SECONDS = 120.0
(README_OUTPUT,) = (block.text for block in blocks("text") if block.document == "README.md")

pytestmark = [
    # In the group of the other tests that run a pipeline, so that no machine has to run two of them at once.
    pytest.mark.xdist_group("pipeline"),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc"),
]


@pytest.fixture
def mark() -> Iterator[str]:
    """Return a mark for the environment of all processes of the test; all must exit before its end."""
    value = secrets.token_hex(8)
    yield value
    wait_until_all_exited(value)


@pytest.fixture
def demo(assembly: Path, tmp_path: Path, mark: str) -> Callable[..., Process]:
    """Return a function that starts the demo with its output in `tmp_path`."""

    def start(**environment: str) -> Process:
        command = [sys.executable, "-m", "local.demo", "--out", str(tmp_path), "--assembly", str(assembly)]
        return Process(
            "demo",
            command,
            environment=os.environ | {MARK_VARIABLE: mark, "COLUMNS": "200"} | environment,
            cwd=str(ROOT),
        )

    return start


def test_the_demo_stores_the_images_of_both_engines_and_leaves_no_process(
    demo: Callable[..., Process], tmp_path: Path, mark: str
) -> None:
    with demo() as process:
        status = process.wait(START_SECONDS)
    assert status == 0, process.tail(50)
    assert marked_processes(mark) == []
    tasks = ["test-comfyui-i2i", "test-i2i", "test-i2i-v1alpha1"]
    assert sorted(folder.name for folder in tmp_path.iterdir()) == tasks
    for folder in tmp_path.iterdir():
        callback = json.loads((folder / "callback.json").read_text())
        assert callback["id"] == folder.name
        assert callback["status"] == "completed"
        (image,) = folder.glob("*.png")
        assert callback["image_url"][0].endswith(f"/{image.name}")
        with Image.open(image) as opened:
            assert opened.size == (512, 512)
    output = "\n".join(process.lines())
    shown = shapes(README_OUTPUT)
    assert len(shown) > 10
    assert shown - shapes(output.replace(str(tmp_path), "out")) == set()


def shapes(output: str) -> set[str]:
    """Return the lines of an output without times, sizes, ids and the width of a table."""
    shaped = set()
    for line in output.splitlines():
        without_ids = re.sub(r"-[0-9a-f]{4}-", "-MARK-", re.sub(r"s3://[^/]+", "s3://BUCKET", line))
        numbers = re.sub(r"\b\d[\d.,]*", "0", without_ids)
        shaped.add(re.sub(r"[━┏┳┓┡╇┩└┴┘─\s]+", " ", numbers).strip())
    return shaped - {"", "…"}


@pytest.mark.long
def test_an_interrupted_demo_stops_all_processes(demo: Callable[..., Process], mark: str) -> None:
    with demo() as process:
        process.wait_for_line("POST /v1alpha2", timeout=START_SECONDS)
        process.send(signal.SIGINT)
        assert process.wait(EXIT_SECONDS) == 130
    wait_until_all_exited(mark)


@pytest.mark.long
def test_a_failed_demo_prints_the_output_of_the_process_that_failed(demo: Callable[..., Process]) -> None:
    with demo(PREFETCH="many") as process:
        assert process.wait(START_SECONDS) == 1
    output = "\n".join(process.lines())
    assert "consumer sdruntime: ended with status" in output
    assert "PREFETCH" in output


def test_make_local_prints_a_curl_line_that_works_and_the_client_finds_it(
    assembly: Path, mark: str, tmp_path: Path
) -> None:
    environment = os.environ | {MARK_VARIABLE: mark, "RUNTIME": "sdruntime"}
    environment |= {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT / "client")}
    command = [sys.executable, "-m", "local.serve", "--assembly", str(assembly)]
    with Process("local", command, environment=environment, cwd=str(ROOT)) as process:
        line = process.wait_for_line("curl -sS", timeout=START_SECONDS)
        answer = json.loads(subprocess.run(shlex.split(line), capture_output=True, check=True).stdout)
        assert answer["id_task"] == "test-t2i"
        process.wait_for_line("callback of test-t2i: completed", timeout=60)
        look = process.wait_for_line("/v1alpha2/tasks/test-t2i", timeout=1)
        task = json.loads(subprocess.run(shlex.split(look), capture_output=True, check=True).stdout)
        assert task["status"] == "completed"
        # The command finds it, because it looks where `make local` announces itself.
        client = [sys.executable, "-m", "sd_on_ecs", "--profile", "local", "list"]
        found = subprocess.run(client, env=environment, capture_output=True, text=True, check=True)
        assert "test-t2i  completed" in found.stdout
        (tutorial,) = (block.text for block in blocks("text") if block.document == "docs/tutorial.md")
        labels = [shown.partition("http")[0].rstrip(" …") for shown in tutorial.splitlines()]
        assert [label for label in labels if not any(one.startswith(label) for one in process.lines())] == []
        process.send(signal.SIGINT)
        assert process.wait(EXIT_SECONDS) == 0
    assert list(tmp_path.rglob("*.json")) == []


@pytest.mark.long
def test_make_local_with_comfyui_url_runs_its_workflow_on_that_server(
    assembly: Path, mark: str, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    write_checkpoint(models / "checkpoints" / "my-model.safetensors", b"mine")
    with running(models=models, step_seconds=0.01) as server:
        environment = os.environ | {
            MARK_VARIABLE: mark,
            "RUNTIME": "comfyruntime",
            "COMFYUI_URL": server.url,
        }
        command = [sys.executable, "-m", "local.serve", "--assembly", str(assembly)]
        with Process("local", command, environment=environment, cwd=str(ROOT)) as process:
            line = process.wait_for_line("curl -sS", timeout=START_SECONDS)
            assert "my-model.safetensors" in line
            answer = json.loads(subprocess.run(shlex.split(line), capture_output=True, check=True).stdout)
            assert answer["id_task"] == "test-comfyui-t2i"
            process.wait_for_line("callback of test-comfyui-t2i: completed", timeout=60)
            process.send(signal.SIGINT)
            assert process.wait(EXIT_SECONDS) == 0
        assert [job["outcome"] for job in server.control.jobs()] == ["success"]
