"""The fake responds as the recorded Web UI did: statuses, types, forms, values and documented quirks."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

import httpx
import pytest

from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.process import FakeWebUi, running
from tests.contract.scenarios_running import NOT_SERVED, SCENARIOS, run_scenario
from tests.support.recordings import names, recording

NOT_COVERED: dict[str, str] = {}
"""Recordings that nothing here replays, each with its reason."""

PROCESSES = (  # replayed below against a process of its own
    "80-job-during-sigterm",
    "80-sigterm-mid-job-log",
    "82-server-kill",
    "timeline-boot-nowebui",
    "timeline-boot-webui-api",
)
BOOT_SECONDS = 3
QUICK = {"step_seconds": 0, "load_seconds": 0, "extra_seconds": 0}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_has_no_differences_and_covers_its_recordings(name: str, tmp_path: Path) -> None:
    notes = run_scenario(name, Components.make, tmp_path)
    assert {recording: differences for recording, differences in notes.items() if differences} == {}
    assert sorted(notes) == names(*SCENARIOS[name][0])


def test_all_recordings_are_replayed_or_listed_as_not_replayed() -> None:
    patterns = [pattern for covered, _ in SCENARIOS.values() for pattern in covered]
    everything = names("*")
    covered = {name for name in everything if any(fnmatch(name, pattern) for pattern in patterns)} | set(
        PROCESSES
    )
    assert sorted(set(everything) - covered) == sorted(NOT_COVERED)
    assert len(NOT_COVERED) <= 0.1 * len(everything)
    assert len(NOT_SERVED) == 4


def test_sigterm_ends_it_at_once_without_a_response() -> None:
    with running(web_ui=False, **QUICK) as fake_webui, ThreadPoolExecutor(1) as pool:
        answer = send_and_hold(fake_webui, pool, "80-job-during-sigterm")
        assert fake_webui.stop() == -15
        with pytest.raises(httpx.TransportError):
            answer.result()
    assert "RemoteDisconnected" in str(recording("80-job-during-sigterm")["response"])
    assert recording("80-sigterm-mid-job-log")["log"][0][1] is True


def test_server_kill_ends_it_without_a_response() -> None:
    with running(api_auth="u:p", api_server_stop=True, **QUICK) as fake_webui:
        request = recording("82-server-kill")["request"]
        with pytest.raises(httpx.TransportError):
            httpx.request(request["method"], fake_webui.url + request["path"], headers=request["headers"])
        assert fake_webui.process.wait(10) == 0


@pytest.mark.parametrize(
    ("name", "web_ui"), [("timeline-boot-nowebui", False), ("timeline-boot-webui-api", True)]
)
def test_after_booting_the_page_and_internal_exist_only_with_the_page(name: str, *, web_ui: bool) -> None:
    events = [event for event in recording(name)["events"] if event["status"] != "refused"]
    with running(web_ui=web_ui, **QUICK) as fake_webui:
        statuses = {event["path"]: httpx.get(fake_webui.url + event["path"]).status_code for event in events}
    assert statuses == {event["path"]: event["status"] for event in events}


def test_a_boot_takes_the_requested_time() -> None:
    begun = time.monotonic()
    with running(boot_seconds=BOOT_SECONDS, **QUICK) as fake_webui:
        with pytest.raises(httpx.ConnectError):
            httpx.get(fake_webui.url)
        assert fake_webui.control.stats()["begun"] == 0, "its control port answers meanwhile"
        fake_webui.process.wait_for_line("fake ready", timeout=60)
        assert time.monotonic() - begun >= BOOT_SECONDS
        assert httpx.get(f"{fake_webui.url}/sdapi/v1/progress").status_code == 200


def send_and_hold(fake_webui: FakeWebUi, pool: ThreadPoolExecutor, name: str) -> "Future[httpx.Response]":
    """Send a recording and wait until its job hangs half-way."""
    fake_webui.control.set("hang")
    request = recording(name)["request"]
    answer = pool.submit(httpx.post, fake_webui.url + request["path"], json=request["json"], timeout=30)
    fake_webui.control.wait(held=1)
    return answer
