"""The cases of workflows.yaml with the API, and with a worker whose messages nobody has checked."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from domain.row import Status
from local.emulator import Emulator
from tests.security.workflow_cases import DATA, OWN_FILE, cases
from tests.support.cloud import Cloud
from tests.support.comfyui import image_to_image, node, png
from tests.support.comfyui_setup import ComfyUiSetup

REFUSED = [case for case in cases() if case.group != "prefixes"]
PICTURE = base64.b64encode(png()).decode()
PREFIXES = [entry["set"]["9.filename_prefix"] for entry in DATA["prefixes"]]


@pytest.fixture
def setup(aws: Emulator, tmp_path: Path) -> Iterator[ComfyUiSetup]:
    with ExitStack() as stack:
        allow = {name for case in REFUSED for name in case.allow}
        yield ComfyUiSetup(aws, tmp_path / "comfyui", stack, allow=allow)


@pytest.mark.long
def test_the_api_refuses_each_and_a_worker_that_gets_its_message_sends_nothing_to_comfyui(
    setup: ComfyUiSetup,
) -> None:
    cloud = Cloud(setup.aws, setup.cloud, "")
    for number, case in enumerate(REFUSED):
        answer = setup.submit(f"t{number}", case.workflow(), files={OWN_FILE: PICTURE})
        assert f"/task/content/prompt{case.at}" in answer.faults
        cloud.submit_content(f"t{number}", "pipeline", case.content | {"files": {OWN_FILE: PICTURE}})
    setup.start_consumer()
    rows = {case.why: setup.until(f"t{number}") for number, case in enumerate(REFUSED)}
    ends = {why: (row.status, (row.item.get("error") or {}).get("code")) for why, row in rows.items()}
    assert {why: end for why, end in ends.items() if end != (Status.FAILED, "invalid_content")} == {}
    assert setup.fake.control.stats()["posted"] == 0
    assert setup.left_behind() == []


@pytest.mark.long
def test_no_prefix_plants_a_file(setup: ComfyUiSetup, tmp_path: Path) -> None:
    flow = image_to_image(OWN_FILE)
    del flow["9"]
    for number, prefix in enumerate(PREFIXES):
        flow[f"s{number}"] = node("SaveImage", images=["8", 0], filename_prefix=prefix)
    before = set(tmp_path.rglob("*"))
    content = {"prompt": flow, "files": {OWN_FILE: PICTURE}}
    Cloud(setup.aws, setup.cloud, "").submit_content("t", "pipeline", content)
    setup.start_consumer()
    assert len(setup.facts(setup.until("t"))) == len(PREFIXES)
    added = {path for path in tmp_path.rglob("*") if ".sd-on-ecs" not in path.parts} - before
    assert added == set()
