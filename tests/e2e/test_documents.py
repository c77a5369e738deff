"""The requests in the documents work as they are written."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "README.zh-CN.md",
    "docs/tutorial.md",
    "docs/zh/tutorial.md",
    "docs/api.md",
    "docs/zh/api.md",
    "docs/comfyui.md",
    "examples/README.md",
)
OF_AWS = re.compile(r"\b(aws|cdk|make|pip|sd-on-ecs|git|export)\b")


def _blocks(language: str) -> Iterator[tuple[str, str]]:
    """Yield the fenced blocks of a language, with the document of each."""
    for name in DOCUMENTS:
        if (ROOT / name).exists():
            text = (ROOT / name).read_text(encoding="utf-8")
            for found in re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
                yield name, found


def test_the_requests_can_be_copied_into_a_terminal(pipeline: Pipeline) -> None:
    """In their order, because later ones read and cancel the tasks of earlier ones."""
    environment = {**os.environ, "API": pipeline.deployment.api_url, "KEY": pipeline.deployment.api_key}
    ran = []
    for name, block in _blocks("sh"):
        if "$API" not in block or OF_AWS.search(block):
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert done.returncode == 0, (name, block, done.stderr)
        assert '"code":"internal_error"' not in done.stdout
        ran.append(name)
    assert {"README.md", "docs/tutorial.md", "docs/api.md", "docs/comfyui.md", "examples/README.md"} <= set(
        ran
    )
    for task in ("tutorial-1", "cat-17", "test-comfyui-t2i"):
        assert pipeline.wait_for_callback(task)["status"] == "completed"
    assert pipeline.row("tutorial-2") is None, "the request with mistakes is refused"


@pytest.mark.parametrize(("name", "block"), list(_blocks("json")))
def test_json_in_the_documents_is_json(name: str, block: str) -> None:
    json.loads(block if block.startswith(("{", "[")) else "{" + block + "}")


def test_the_answers_in_the_document_of_the_api_have_the_fields_of_real_ones(
    pipeline: Pipeline, task_id: str
) -> None:
    blocks = [block for name, block in _blocks("json") if name == "docs/api.md" and block.startswith("{")]
    documented = {tuple(json.loads(block)) for block in blocks}
    metadata = {"id": task_id, "runtime": "sdruntime", "tasktype": "text-to-image", "prefix": "output"}
    submitted = pipeline.submit({"task": {"metadata": metadata, "content": {"prompt": "a cat", "steps": 2}}})
    callback = pipeline.wait_for_callback(task_id)
    task = pipeline.call("GET", f"/v1alpha2/tasks/{task_id}").json()

    assert task["images"]
    for answer in (submitted.json(), task, callback):
        assert tuple(answer) in documented
