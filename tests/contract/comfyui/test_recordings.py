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
from tests.contract.comfyui.sessions import SESSIONS, leave, prepare
from tests.support.comfyui import Client, listening

QUICK: dict[str, Any] = {"step_seconds": 0.0, "load_seconds": 0.0}
FIRST_UPLOADS = (
    "30-upload-basic",
    "30-upload-same-again",
    "30-upload-same-name-other-bytes",
    "30-upload-overwrite-false",
)
"""The recorded names of later files depend on those of earlier ones."""

ELSEWHERE = {
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
    found = {}
    with running(**folders, **QUICK) as fake:
        client = Client(fake.url)
        localize(tmp_path)
        for one in session.names:
            session.before.get(one, leave)(tmp_path / "base")
            response = send(client, one, "jobs")
            found[one] = response_differences(one, "jobs", response)
            if not found[one]:
                entry = client.wait(response.json()["prompt_id"])
                found[one] = job_differences(one, "jobs", entry, cached=session.cached)
    assert session.names
    assert {one: notes for one, notes in found.items() if notes} == {}


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
        found = {
            name: response_differences(name, group, send(client, name, group))
            for name in recordings(group)
            if name not in ELSEWHERE
        }
    assert {one: notes for one, notes in found.items() if notes} == {}


def test_files_are_taken_and_given_as_recorded(tmp_path: Path) -> None:
    folders = folders_in(tmp_path)
    write_models(folders["models"])
    folders["output"].mkdir()
    (folders["output"] / "cc_00001_.png").write_bytes(image(155))
    names = [*FIRST_UPLOADS, *(one for one in recordings("files") if one not in FIRST_UPLOADS)]
    with running(**folders, **QUICK) as fake:
        client = Client(fake.url)
        localize(tmp_path)
        found = {one: response_differences(one, "files", send(client, one, "files")) for one in names}
    assert {one: notes for one, notes in found.items() if notes} == {}


def test_requests_of_any_other_kind_are_answered_as_recorded(tmp_path: Path) -> None:
    folders = folders_in(tmp_path)
    write_models(folders["models"])
    names = [one for one in recordings("requests") if one not in ELSEWHERE]
    with running(**folders, **QUICK) as fake:
        client = Client(fake.url)
        localize(tmp_path)
        found = {}
        for one in names:
            response = send(client, one, "requests")
            found[one] = response_differences(one, "requests", response)
            if recordings("requests")[one]["request"]["path"] == "/prompt" and response.status_code == 200:
                fake.control.wait(ended=fake.control.stats()["posted"])
    assert {one: notes for one, notes in found.items() if notes} == {}


OLD_ORDER = ("txt2img", "same-again", "prompt_id-any-string")


def test_version_0_3_64_responds_as_recorded(tmp_path: Path) -> None:
    folders = folders_in(tmp_path)
    write_models(folders["models"])
    folders["input"].mkdir()
    (folders["input"] / "a.png").write_bytes(image(155))
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/s.png").write_bytes(image(99))
    group = recordings("v0.3.64")
    found = {}
    with running(**folders, **QUICK, version="0.3.64") as fake:
        client = Client(fake.url)
        localize(tmp_path)
        for one in (*OLD_ORDER, *(one for one in group if one not in OLD_ORDER)):
            response = send(client, one, "v0.3.64")
            found[one] = response_differences(one, "v0.3.64", response)
            posted = group[one]["request"]["path"] == "/prompt" and response.status_code == 200
            entry = client.wait(response.json()["prompt_id"]) if posted else {}
            if "history" in group[one]:
                found[one] += job_differences(one, "v0.3.64", entry, cached=True)
    assert {one: notes for one, notes in found.items() if notes} == {}


FOLLOWED = [name for name, one in recordings("jobs").items() if "websocket" in one and name[0] == "1"]


def test_a_websocket_gets_the_recorded_messages_in_the_recorded_order(tmp_path: Path) -> None:
    write_models(tmp_path / "models")
    found = {}
    with running(models=tmp_path / "models", preview=True, **QUICK) as fake:
        client = Client(fake.url)
        for name in SESSIONS["text to image"].names:
            one = recordings("jobs")[name]
            with listening(fake.url, str(one["request"]["json"].get("client_id"))) as socket:
                job = send(client, name, "jobs").json()["prompt_id"]
                client.wait(job)
                if name in FOLLOWED:
                    socket.wait_for("executing", node=None)
                    recorded = [message.split()[0] for message in one["websocket"]]
                    found[name] = [recorded, socket.types()]
    assert sorted(found) == sorted(FOLLOWED)
    assert {name: pair for name, pair in found.items() if pair[0] != pair[1]} == {}
