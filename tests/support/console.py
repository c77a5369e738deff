"""The console in a real browser, for tests."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from domain.api_routes import CONSOLE
from local.chromium import ARGUMENTS, MISSING, find_chromium
from local.pipeline import Pipeline, run_pipeline

ROOT = Path(__file__).parents[2]
CAT = ROOT / "examples" / "cat.png"
CONFIG = """
stackName: sdonecs
modelsRuntime:
- {name: sdruntime, type: sdwebui, modelFilename: v1-5-pruned-emaonly.safetensors}
- {name: comfyruntime, type: comfyui, dynamicModel: true, comfyui: {image: ./container/comfyui}}
"""
OUTCOME_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; without one, skip the tests, or fail them if REQUIRE_BROWSER is set as in CI."""
    found = find_chromium()
    if found is None:
        message = f"the console was NOT tested, because {MISSING}"
        assert not os.environ.get("REQUIRE_BROWSER"), message
        pytest.skip(message)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Pipeline]:
    """Run the pipeline with a runtime of each type."""
    config = tmp_path_factory.mktemp("console") / "config.yaml"
    config.write_text(CONFIG)
    with run_pipeline(config=config) as started:
        yield started


@pytest.fixture
def page(browser: Browser, running: Pipeline) -> Iterator[Page]:
    """Open the page with the key, as `make local` prints it; fail on any error in the browser's console."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: _note_violation(message.text, errors))
    opened.goto(f"{running.deployment.api_url}{CONSOLE.path}#key={running.deployment.api_key}")
    expect(opened.get_by_role("button", name="Generate")).to_be_enabled(timeout=OUTCOME_MS)
    yield opened
    context.close()
    assert errors == []


def _note_violation(text: str, errors: list[str]) -> None:
    if "Content Security Policy" in text:
        errors.append(text)


def submit(page: Page) -> str:
    """Submit the form and return the task's id."""
    return str(submitted(page)["metadata"]["id"])


def submitted(page: Page) -> dict[str, Any]:
    """Submit the form and return the task as it was sent."""
    with page.expect_request("**/v1alpha2") as request:
        page.get_by_role("button", name="Generate").click()
    accepted(page)
    body: dict[str, Any] = json.loads(request.value.post_data or "")
    task: dict[str, Any] = body["task"]
    return task


def accepted(page: Page) -> str:
    note = page.get_by_text("Accepted as ")
    expect(note).to_be_visible(timeout=OUTCOME_MS)
    return (note.text_content() or "").removeprefix("Accepted as ").rstrip(".")


def open_image(page: Page, task_id: str) -> Locator:
    """Wait for a task's image, open it, and return the dialog."""
    page.get_by_role("button", name=f"Open image 1 of {task_id}").click(timeout=OUTCOME_MS)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Seed")
    return dialog


def wait_until_drawn(page: Page) -> None:
    """Wait until the page has shown what it received."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
