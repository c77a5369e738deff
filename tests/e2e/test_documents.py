"""The requests in the documents work as they are written."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from local.pipeline import Pipeline
from local.receiver import run_receiver
from tests.support import bodies
from tests.support.documents import BLOCKS, ROOT, SHELL, TRANSLATIONS, Block
from tests.support.other_services import PICTURE, REQUESTS
from tools.workflow_request import convert

ORIGINALS: Final = [block for block in BLOCKS if not block.document.startswith(TRANSLATIONS)]
REQUEST_BLOCKS: Final = [block for block in ORIGINALS if block.language in SHELL and "$API" in block.text]
JSON: Final = [block for block in ORIGINALS if block.language == "json"]
FRAGMENTS: Final = [block for block in JSON if re.match(r'"(group|output|webhook)":', block.text)]
FILLED_IN: Final = {
    "docs/migrate-from-worker-comfyui.md": ("cat-17", "cat-of-worker-comfyui"),
    "docs/troubleshooting.md": ("tasks/ID", "tasks/my-first-task"),
}
"""What a reader replaces, by document."""

RECEIVER: Final = "https://example.com"
(EVENT,) = (json.loads(block.text) for block in JSON if "task.completed" in block.text)

REFUSED: Final = "tutorial-2"
"""The id of the only task that has mistakes on purpose."""


def _without_the_internet(body: Any, pictures: str) -> Any:
    return json.loads(json.dumps(body).replace(PICTURE, f"{pictures}/cat.png"))


@pytest.fixture
def checkout(tmp_path: Path, pictures: str) -> Path:
    """Return a folder with what the commands read, in which they may write."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    request = _without_the_internet(REQUESTS["worker-comfyui"], pictures)
    (tmp_path / "request.json").write_text(json.dumps(request))
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / ".curlrc").write_text('write-out = "%{stderr}<%{http_code}>"\n')
    return tmp_path


def test_the_requests_can_be_copied_into_a_terminal(pipeline: Pipeline, checkout: Path) -> None:
    """In their order, because later ones read and cancel the tasks of earlier ones."""
    environment = {
        **os.environ,
        "API": pipeline.deployment.api_url,
        "KEY": pipeline.deployment.api_key,
        "HOME": str(checkout),
        "PYTHONPATH": str(ROOT),
    }
    for block in REQUEST_BLOCKS:
        there, here = FILLED_IN.get(block.document, ("", ""))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.text.replace(there, here)],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert done.returncode == 0, (block.name, done.stderr)
        statuses = set(re.findall(r"<(\d+)>", done.stderr))
        expected = {"400"} if REFUSED in block.text else {"200", "202", "204"}
        if "-X DELETE" in block.text:
            expected |= {"409"}  # the task has ended before
        assert statuses
        assert statuses <= expected, (block.name, done.stdout)
    for task in ("tutorial-1", "cat-17", "test-comfyui-t2i", "cat-of-worker-comfyui"):
        assert pipeline.wait_for_callback(task)["status"] == "completed"
    assert pipeline.row(REFUSED) is None, "the request with mistakes is refused"


@pytest.mark.parametrize("block", FRAGMENTS, ids=lambda block: block.name)
def test_what_may_be_in_the_metadata_of_a_request_is_accepted(
    pipeline: Pipeline, task_id: str, block: Block
) -> None:
    with run_receiver() as receiver:
        fragment = json.loads(f"{{{block.text.replace(RECEIVER, receiver.url)}}}")
        content = {"prompt": "a cat", "steps": 1, "width": 64, "height": 64}
        body = bodies.v1alpha2(task_id, "text-to-image", content)
        body["task"]["metadata"] |= fragment
        answer = pipeline.submit(body)
        assert answer.status_code == 200, answer.text
        assert pipeline.wait_for_callback(task_id)["status"] == "completed"
        if "webhook" in fragment:
            events = {request.json["type"]: request.json for request in receiver.wait_for_requests(1)}
            _check_keys(EVENT, events.get("task.completed", EVENT))


def _check_keys(shown: Any, real: Any) -> None:
    """Check that what a document shows has only keys of the real thing."""
    if isinstance(shown, dict):
        assert shown.keys() <= real.keys()
        for name, value in shown.items():
            _check_keys(value, real[name])
    if isinstance(shown, list):
        assert real
        for value in shown:
            _check_keys(value, real[0])


def test_the_request_with_a_time_by_which_it_must_start_is_accepted(pipeline: Pipeline) -> None:
    (block,) = (one for one in JSON if "start_within_seconds" in one.text)
    answer = pipeline.submit(json.loads(block.text))
    assert answer.status_code == 200, answer.text
    assert pipeline.wait_for_callback("cat-1")["status"] == "completed"


def test_the_guidances_request_has_no_fault_but_those_of_its_short_workflow(pipeline: Pipeline) -> None:
    (block,) = (one for one in JSON if one.document == "docs/migrate-from-guidance.md")
    faults = pipeline.submit(json.loads(block.text)).json()["error"]["details"]
    assert faults
    assert [fault for fault in faults if not fault["path"].startswith("/task/content")] == []


def test_worker_comfyuis_request_is_converted_to_the_one_beside_it() -> None:
    there, here = (
        json.loads(one.text) for one in JSON if one.document == "docs/migrate-from-worker-comfyui.md"
    )
    assert convert(there, task_id="cat-17", runtime="comfyruntime").request == here


def test_the_answers_in_the_document_of_the_api_have_the_fields_of_real_ones(
    pipeline: Pipeline, task_id: str
) -> None:
    answers = [one for one in JSON if one.document == "docs/api.md" and one.text.startswith("{")]
    documented = {tuple(json.loads(one.text)) for one in answers}
    metadata = {"id": task_id, "runtime": "sdruntime", "tasktype": "text-to-image", "prefix": "output"}
    submitted = pipeline.submit({"task": {"metadata": metadata, "content": {"prompt": "a cat", "steps": 2}}})
    callback = pipeline.wait_for_callback(task_id)
    task = pipeline.call("GET", f"/v1alpha2/tasks/{task_id}").json()

    assert task["images"]
    for answer in (submitted.json(), task, callback):
        assert tuple(answer) in documented
