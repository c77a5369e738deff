"""The fake responds as the recorded ComfyUI did: statuses, bodies, histories and caches."""

from pathlib import Path
from typing import Any

import pytest

from local.fakes.comfyui.process import running
from tests.contract.comfyui.replay import (
    image,
    job_differences,
    localize,
    recordings,
    response_differences,
    send,
    write_models,
)
from tests.contract.comfyui.sessions import SESSIONS, change_nothing, prepare
from tests.support.comfyui import Client, listening

QUICK: dict[str, Any] = {"step_seconds": 0.0, "load_seconds": 0.0}
FIRST_UPLOADS = (
    "30-upload-basic",
    "30-upload-same-again",
    "30-upload-same-name-other-bytes",
    "30-upload-overwrite-false",
)
"""The recorded names of later files depend on those of earlier ones."""

NOT_REPLAYED = {
    "20-client_id-dict": "test_behaviour: the process ends",
    "43-removed-file": "test_behaviour: a model that was removed",
    "65-prompt-after-model-folder-removed": "test_behaviour: a folder that was removed",
    "13-prompt_id-reused-history": "test_behaviour: the later job replaces the earlier one",
    "43-models-after-new-file": "test_behaviour: a new file is listed at once",
    "43-models-after-new-nested": "test_behaviour: a new file is listed at once",
    "50-job-after-interrupt": "test_behaviour: what a running and an interrupted job look like",
    "50-job-while-running": "test_behaviour: what a running and an interrupted job look like",
    "50-prompt-while-running": "test_behaviour: what a running and an interrupted job look like",
    "50-queue-while-running": "test_behaviour: what a running and an interrupted job look like",
    "52-history-max_items": "test_behaviour: the newest entries",
    "52-job-cancel-pending": "test_behaviour: a waiting job is cancelled",
    "52-jobs-list": "test_behaviour: the order of waiting jobs",
    "52-queue-order": "test_behaviour: the order of waiting jobs",
    "63-models-after-checkpointsave": "test_behaviour: a workflow that saves a checkpoint",
    "65-models-after-folder-recreated": "test_behaviour: a folder that was removed",
    "65-models-after-folder-removed": "test_behaviour: a folder that was removed",
    "69-header-origin-same": "test_behaviour: a page of another site",
    "69-jobs-status-filter": "test_behaviour: the newest entries",
    "00-get-object_info-all": "it counts the classes of all nodes, of which the fake has some",
}
"""Recordings that are not replayed, or replayed by another test, each with its reason."""


def folders_in(place: Path) -> dict[str, Any]:
    return {name: place / "base" / name for name in ("models", "input", "output", "temp")}


@pytest.mark.parametrize("name", SESSIONS)
def test_jobs_end_as_recorded_and_take_the_same_nodes_from_the_cache(name: str, tmp_path: Path) -> None:
    session = SESSIONS[name]
    folders: dict[str, Any] = prepare(tmp_path / "base", session)
    notes_by_name = {}
    with running(**folders, **QUICK) as fake:
        client = Client(fake.url)
        localize(tmp_path)
        for recording_name in session.names:
            session.before.get(recording_name, change_nothing)(tmp_path / "base")
            response = send(client, recording_name, "jobs")
            notes_by_name[recording_name] = response_differences(recording_name, "jobs", response)
            if not notes_by_name[recording_name]:
                entry = client.wait(response.json()["prompt_id"])
                notes_by_name[recording_name] = job_differences(
                    recording_name, "jobs", entry, cached=session.cached
                )
    assert session.names
    assert {name: notes for name, notes in notes_by_name.items() if notes} == {}


@pytest.mark.parametrize("group", ["catalogue", "refusals"])
def test_requests_that_change_nothing_are_answered_as_recorded(group: str, tmp_path: Path) -> None:
    write_models(tmp_path / "base/models")
    if group == "refusals":
        (tmp_path / "base/input").mkdir()
        (tmp_path / "base/input/a.png").write_bytes(image(155))
    folders = folders_in(tmp_path)
    with running(**folders, **QUICK) as fake:
        client = Client(fake.url)
        localize(tmp_path)
        notes_by_name = {
            name: response_differences(name, group, send(client, name, group))
            for name in recordings(group)
            if name not in NOT_REPLAYED
        }
    assert {name: notes for name, notes in notes_by_name.items() if notes} == {}


def test_files_are_taken_and_given_as_recorded(tmp_path: Path) -> None:
    folders = folders_in(tmp_path)
    write_models(folders["models"])
    folders["output"].mkdir()
    (folders["output"] / "cc_00001_.png").write_bytes(image(155))
    names = [*FIRST_UPLOADS, *(name for name in recordings("files") if name not in FIRST_UPLOADS)]
    with running(**folders, **QUICK) as fake:
        client = Client(fake.url)
        localize(tmp_path)
        notes_by_name = {
            name: response_differences(name, "files", send(client, name, "files")) for name in names
        }
    assert {name: notes for name, notes in notes_by_name.items() if notes} == {}


def test_requests_of_any_other_kind_are_answered_as_recorded(tmp_path: Path) -> None:
    folders = folders_in(tmp_path)
    write_models(folders["models"])
    names = [name for name in recordings("requests") if name not in NOT_REPLAYED]
    with running(**folders, **QUICK) as fake:
        client = Client(fake.url)
        localize(tmp_path)
        notes_by_name = {}
        for name in names:
            response = send(client, name, "requests")
            notes_by_name[name] = response_differences(name, "requests", response)
            if recordings("requests")[name]["request"]["path"] == "/prompt" and response.status_code == 200:
                fake.control.wait(ended=fake.control.stats()["posted"])
    assert {name: notes for name, notes in notes_by_name.items() if notes} == {}


FIRST_OF_0_3_64 = ("txt2img", "same-again", "prompt_id-any-string")


def test_version_0_3_64_responds_as_recorded(tmp_path: Path) -> None:
    folders = folders_in(tmp_path)
    write_models(folders["models"])
    folders["input"].mkdir()
    (folders["input"] / "a.png").write_bytes(image(155))
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/s.png").write_bytes(image(99))
    group = recordings("v0.3.64")
    notes_by_name = {}
    with running(**folders, **QUICK, version="0.3.64") as fake:
        client = Client(fake.url)
        localize(tmp_path)
        for name in (*FIRST_OF_0_3_64, *(name for name in group if name not in FIRST_OF_0_3_64)):
            response = send(client, name, "v0.3.64")
            notes_by_name[name] = response_differences(name, "v0.3.64", response)
            posted = group[name]["request"]["path"] == "/prompt" and response.status_code == 200
            entry = client.wait(response.json()["prompt_id"]) if posted else {}
            if "history" in group[name]:
                notes_by_name[name] += job_differences(name, "v0.3.64", entry, cached=True)
    assert {name: notes for name, notes in notes_by_name.items() if notes} == {}


WITH_WEBSOCKET = [
    name for name, recording in recordings("jobs").items() if "websocket" in recording and name[0] == "1"
]


def test_a_websocket_gets_the_recorded_messages_in_the_recorded_order(tmp_path: Path) -> None:
    write_models(tmp_path / "models")
    notes_by_name = {}
    with running(models=tmp_path / "models", preview=True, **QUICK) as fake:
        client = Client(fake.url)
        for name in SESSIONS["text to image"].names:
            recording = recordings("jobs")[name]
            with listening(fake.url, str(recording["request"]["json"].get("client_id"))) as socket:
                job = send(client, name, "jobs").json()["prompt_id"]
                client.wait(job)
                if name in WITH_WEBSOCKET:
                    socket.wait_for("executing", node=None)
                    recorded = [message.split()[0] for message in recording["websocket"]]
                    notes_by_name[name] = [recorded, socket.types()]
    assert sorted(notes_by_name) == sorted(WITH_WEBSOCKET)
    assert {name: pair for name, pair in notes_by_name.items() if pair[0] != pair[1]} == {}
