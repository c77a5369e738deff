"""People try the API on its page, in a real browser, with both engines."""

import gzip
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from domain.api_routes import CONSOLE
from infra.console_page import built_page
from local.fakes.comfyui import recipe
from local.pipeline import Pipeline
from tests.support import bodies
from tests.support.console import CAT, OUTCOME_MS, ROOT, accepted, open_image, submit, submitted
from tests.support.workflows import image_to_image, text_to_image

pytestmark = [pytest.mark.long, pytest.mark.e2e]

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


def _serious_findings(page: Page) -> list[str]:
    """Return what axe finds to be a serious or critical obstacle for people with disabilities."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    return [
        f"{each['id']}: {node['html']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def test_a_text_becomes_an_image_that_can_be_downloaded_and_used_again(page: Page, running: Pipeline) -> None:
    page.get_by_label("Prompt", exact=True).fill("a cat in the console")
    page.get_by_label("Seed").fill("42")
    task_id = submit(page)
    dialog = open_image(page, task_id)
    expect(dialog.get_by_label("Infotext")).to_have_value(
        re.compile("a cat in the console.*Seed: 42", re.DOTALL)
    )
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download").click()
    (link,) = running.wait_for_callback(task_id)["image_url"]
    assert Path(download.value.path()).read_bytes() == running.download(link)

    dialog.get_by_role("button", name="Use in image to image").click()
    expect(page.get_by_role("tab", name="Image to image")).to_be_focused()
    task = submitted(page)
    assert task["content"]["init_images"] == [link]
    assert running.wait_for_callback(task["metadata"]["id"])["status"] == "completed"


def test_an_image_is_uploaded_with_a_painted_mask(page: Page, running: Pipeline) -> None:
    page.get_by_role("tab", name="Image to image").click()
    page.get_by_label("Prompt", exact=True).fill("a hat")
    page.get_by_label("Image", exact=True).set_input_files(CAT)
    canvas = page.get_by_role("img", name="Mask")
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 60, steps=5)
    page.mouse.up()
    task = submitted(page)
    assert running.wait_for_callback(task["metadata"]["id"])["status"] == "completed"
    assert running.download(task["content"]["init_images"][0]) == CAT.read_bytes()
    sent = running.download(task["content"]["mask"])
    with Image.open(io.BytesIO(sent)) as mask, Image.open(CAT) as cat:
        assert mask.size == cat.size
        grey = mask.convert("L")
        assert (
            grey.getpixel((int(40 / box["width"] * cat.width), int(40 / box["height"] * cat.height))) == 255
        )
        assert grey.getpixel((cat.width - 2, cat.height - 2)) == 0


def test_the_names_that_the_engine_has_are_suggested(page: Page) -> None:
    suggested = page.locator("#sampler-choices option")
    expect(suggested.first).to_be_attached(timeout=OUTCOME_MS)
    assert "Euler a" in [option.get_attribute("value") for option in suggested.all()]


def test_an_image_is_upscaled(page: Page, running: Pipeline) -> None:
    page.get_by_role("tab", name="Upscale").click()
    expect(page.get_by_role("button", name="Generate")).to_be_disabled()
    page.get_by_label("Image", exact=True).set_input_files(CAT)
    outcome = running.wait_for_callback(submit(page))
    with Image.open(io.BytesIO(running.download(outcome["image_url"][0]))) as large, Image.open(CAT) as cat:
        assert large.width == 2 * cat.width


def test_a_workflow_is_dropped_changed_and_run(page: Page, running: Pipeline, tmp_path: Path) -> None:
    page.get_by_role("tab", name="Workflow").click()
    file = page.get_by_label("Workflow in API format", exact=True)
    editor = tmp_path / "editor.json"
    editor.write_text('{"nodes": [], "links": []}')
    file.set_input_files(editor)
    expect(page.get_by_role("alert")).to_contain_text("Export (API)")

    workflow = tmp_path / "workflow.json"
    workflow.write_text(json.dumps(image_to_image("cat.png")))
    file.set_input_files(workflow)
    page.get_by_label("CheckpointLoaderSimple (4): ckpt_name").fill("v1-5-pruned-emaonly.safetensors")
    page.get_by_label("CLIPTextEncode (6): text").fill("a cat from a workflow")
    page.get_by_label("KSampler (3): cfg").clear()
    page.get_by_label("KSampler (3): cfg").press_sequentially("7.5")
    page.get_by_label("KSampler (3): seed").fill("18446744073709551615")
    page.get_by_label("LoadImage (1): image").set_input_files(CAT)
    outcome = running.wait_for_callback(submit(page))
    assert outcome["status"] == "completed", outcome
    with Image.open(io.BytesIO(running.download(outcome["image_url"][0]))) as image:
        facts = recipe.read(image)
    assert facts is not None
    assert "a cat from a workflow" in json.dumps(facts)
    expect(open_image(page, outcome["id"])).to_contain_text("18446744073709551615 (3.seed)")


def test_faults_stand_at_their_fields(page: Page) -> None:
    page.get_by_label("Prompt", exact=True).fill("a cat")
    page.get_by_label("Steps").fill("many")
    page.get_by_label("Width").fill("100000")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_label("Steps")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#steps-faults")).not_to_be_empty()
    expect(page.locator("#width-faults")).not_to_be_empty()
    expect(page.locator("#height-faults")).to_have_count(0)


def test_faults_of_json_lead_to_their_lines(page: Page) -> None:
    page.get_by_role("tab", name="JSON").click()
    body = {
        "task": {
            "metadata": {"runtime": "sdruntime", "tasktype": "text-to-image", "prefix": "console"},
            "content": {"prompt": "a cat", "steps": -1},
        }
    }
    text = json.dumps(body, indent=2)
    area = page.get_by_label("Body of POST /v1alpha2")
    area.fill(text + ",")
    expect(page.locator("#raw-faults")).to_contain_text("not JSON")
    expect(page.get_by_role("button", name="Submit")).to_be_disabled()

    area.fill(text)
    page.get_by_role("button", name="Submit").click()
    line = next(number for number, each in enumerate(text.split("\n"), 1) if "steps" in each)
    page.get_by_role("button", name=f"Line {line}").click()
    assert area.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)") == "-1"
    area.fill(text.replace("-1", "5"))
    area.press("Control+Enter")
    accepted(page)


def test_a_running_task_shows_its_progress_and_can_be_cancelled(
    page: Page, running: Pipeline, task_id: str
) -> None:
    """Also one that somebody else has submitted."""
    content = bodies.text_to_image(steps=150, n_iter=8)
    assert running.submit(bodies.v1alpha2(task_id, "text-to-image", content)).status_code == 200
    card = page.get_by_label(f"Task {task_id}", exact=True)
    progress = card.get_by_role("progressbar")
    expect(progress).to_have_attribute("value", re.compile("[1-9]"), timeout=OUTCOME_MS)
    card.get_by_role("button", name=f"Cancel {task_id}").click()
    expect(card).to_contain_text("cancelled", timeout=OUTCOME_MS)
    assert running.wait_for_callback(task_id)["status"] == "cancelled"


def test_a_wrong_key_is_asked_for_again_and_another_tab_has_none(page: Page, running: Pipeline) -> None:
    other = page.context.new_page()
    other.goto(f"{running.deployment.api_url}{CONSOLE.path}")
    key = other.get_by_label("API key")
    # The emulator takes any key, so API Gateway's answer to a wrong one is written here.
    refusal = {"error": {"code": "forbidden", "message": "The header x-api-key is missing.", "details": []}}
    other.route("**/v1alpha2/**", lambda route: route.fulfill(status=403, json=refusal))
    key.fill("wrong")
    key.press("Enter")
    expect(other.get_by_role("alert")).to_contain_text("does not know this key")
    other.unroute_all()
    key.fill(running.deployment.api_key)
    key.press("Enter")
    expect(other.get_by_role("heading", name="Tasks")).to_be_visible()
    assert "key=" not in page.url


def test_an_api_that_does_not_answer_is_reported(page: Page) -> None:
    page.get_by_label("Prompt", exact=True).fill("a cat")
    page.route("**/v1alpha2", lambda route: route.abort())
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_text("There was no answer").first).to_be_visible(timeout=OUTCOME_MS)


def test_the_same_request_can_be_copied_and_run_elsewhere(
    page: Page, running: Pipeline, tmp_path: Path
) -> None:
    """In a terminal by curl, in Python and by the command line, with quotes in the prompt."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_label("Prompt", exact=True).fill('a cat\'s "hat"')
    page.get_by_role("button", name="Show as code").click()
    commands = {}
    for name in ("curl", "Python", "Command line"):
        if name != "curl":
            page.get_by_text(name, exact=True).click()
        page.get_by_role("button", name=f"Copy {name}").click()
        commands[name] = page.evaluate("navigator.clipboard.readText()").replace("my-task", name.split()[0])

    for name, command in commands.items():
        program = [sys.executable, "-c"] if name == "Python" else ["bash", "-c"]
        subprocess.run(
            [*program, command],
            env={**os.environ, "SD_ON_ECS_KEY": running.deployment.api_key},
            cwd=tmp_path,
            check=True,
        )
        assert running.wait_for_callback(name.split()[0])["status"] == "completed"
    assert len(list(tmp_path.rglob("*.png"))) == 2, "the client downloads the images"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_everyone_can_use_the_page_on_every_screen(
    page: Page, scheme: Literal["light", "dark"], width: int, tmp_path: Path
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    page.get_by_label("Prompt", exact=True).fill("a cat")
    task_id = submit(page)
    workflow = tmp_path / "workflow.json"
    workflow.write_text(json.dumps(text_to_image()))
    for tab in ("Image to image", "Upscale", "Workflow", "JSON", "Text to image"):
        page.get_by_role("tab", name=tab).click()
        if tab == "Image to image":
            page.get_by_label("Image", exact=True).set_input_files(CAT)
        if tab == "Workflow":
            page.get_by_label("Workflow in API format", exact=True).set_input_files(workflow)
        page.get_by_role("button", name="Show as code").click() if tab == "Text to image" else None
        assert _serious_findings(page) == [], tab
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
    open_image(page, task_id)
    assert _serious_findings(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_tabs_work_by_keyboard(page: Page) -> None:
    page.get_by_role("tab", name="Text to image").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Image to image")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Image to image")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Prompt", exact=True)).to_be_focused()


def test_the_page_is_small() -> None:
    assert len(gzip.compress(built_page().read_bytes())) < 150_000
