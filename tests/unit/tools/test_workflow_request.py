"""Requests for other services become requests that this API accepts."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from domain.limits import Limits
from domain.routing import Runtime
from runtimes.comfyui.runtime_type import ComfyUi
from tests.support.comfyui import text_to_image
from tests.support.other_services import INLINE, REQUESTS, UI
from tools.workflow_request import NotConverted, convert

RUNTIME = Runtime("comfyruntime", "comfyui", dynamic_model=True)


def converted(name: str) -> tuple[dict[str, Any], list[str]]:
    result = convert(REQUESTS[name], task_id="t", runtime=RUNTIME.name)
    return result.request["task"], result.notes


@pytest.mark.parametrize("name", REQUESTS)
def test_a_converted_request_is_accepted(name: str) -> None:
    task, _ = converted(name)
    known = {name: task["metadata"][name] for name in ("id", "runtime", "tasktype", "prefix")}
    assert known == {"id": "t", "runtime": RUNTIME.name, "tasktype": "pipeline", "prefix": "output"}
    checked = ComfyUi().validate("pipeline", task["content"], RUNTIME, Limits())
    assert checked.faults == []


def test_images_become_files_of_which_the_last_one_of_a_name_counts() -> None:
    task, notes = converted("worker-comfyui with an image in a folder, and two of one name")
    assert task["content"]["files"] == {"me.png": INLINE}
    assert task["content"]["prompt"]["1"]["inputs"]["image"] == "me.png"
    assert any("people/me.png is named me.png here" in note for note in notes)
    assert any("two named me.png" in note for note in notes)


def test_what_has_no_counterpart_is_reported() -> None:
    task, notes = converted("worker-comfyui with all that RunPod takes")
    reported = {note.partition(":")[0] for note in notes}
    assert reported == {
        "id",
        "api_key_comfy_org",
        "policy.ttl",
        "policy.executionTimeout",
        "policy.lowPriority",
        "s3Config",
    }
    assert task["metadata"]["start_within_seconds"] == 3600
    assert "key" not in json.dumps(task)


def test_metadata_of_the_guidance_are_kept_and_a_missing_seed_is_drawn() -> None:
    body = REQUESTS["the Guidance without a seed"]
    result = convert(body)
    assert result.request["task"]["metadata"] == body["task"]["metadata"]
    assert result.content["prompt"]["3"]["inputs"]["seed"] == -1
    assert result.notes == ["node 3: without a seed, one is drawn"]


def test_the_outputs_and_the_page_of_comfyuis_own_request_are_kept() -> None:
    task, notes = converted("ComfyUI")
    assert (task["content"]["outputs"], task["content"]["workflow"]) == (["9"], UI)
    assert {note.partition(":")[0] for note in notes} == {"client_id", "api_key_comfy_org"}


def test_a_webhook_and_files_of_the_workers_disk_are_reported() -> None:
    flow = text_to_image() | {"1": {"class_type": "LoadImage", "inputs": {"image": "example.png"}}}
    flow["2"] = {"class_type": "SomethingOfMine", "inputs": {}}
    body = {"input": {"workflow": flow}, "webhook": "https://me.example/hook"}
    result = convert(body, task_id="t", runtime="r")
    assert result.metadata["webhook"] == "https://me.example/hook"
    assert [note.partition(":")[0] for note in result.notes] == ["webhook", "node 1", "node 2"]
    assert "example.png" in result.notes[1]
    assert "nodes.allow" in result.notes[2]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "object"),
        ({"input": {"workflow": {"nodes": [], "links": []}}}, "Export"),
        ({"input": {"images": []}}, "no workflow"),
        ({"input": {"workflow": text_to_image(), "images": [{"name": "a.png"}]}}, "images.0."),
        ({}, "no workflow"),
    ],
)
def test_what_is_no_workflow_is_refused_with_the_reason(body: Any, reason: str) -> None:
    with pytest.raises(NotConverted, match=reason):
        convert(body, task_id="t", runtime="r")


def test_the_request_needs_an_id_and_a_runtime() -> None:
    with pytest.raises(NotConverted, match="--id and --runtime"):
        convert(REQUESTS["worker-comfyui"])


def test_the_command_prints_the_request_and_the_notes(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps(REQUESTS["worker-comfyui with all that RunPod takes"]))
    command = [sys.executable, "-m", "tools.workflow_request", str(file), "--id", "t", "--runtime", "r"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["task"]["metadata"]["id"] == "t"
    assert "api_key_comfy_org" in done.stderr
    file.write_text("{}")
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "no workflow" in failed.stderr
