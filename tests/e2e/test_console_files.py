"""Images, masks, videos and sounds on the console."""

import io
import json

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from local.fakes import media
from local.pipeline import Pipeline
from tests.support.comfyui import node
from tests.support.console import CAT, OUTCOME_MS, submitted, wait_until_drawn
from tests.support.workflows import text_to_image

pytestmark = [pytest.mark.long, pytest.mark.e2e]


def test_images_masks_and_workflows_outlast_a_look_at_another_form(page: Page, running: Pipeline) -> None:
    page.get_by_role("tab", name="Workflow").click()
    workflow = text_to_image() | {"1": node("LoadImage", image="cat.png")}
    flow: FilePayload = {
        "name": "flow.json",
        "mimeType": "application/json",
        "buffer": json.dumps(workflow).encode(),
    }
    page.get_by_label("Workflow in API format", exact=True).set_input_files(flow)
    page.get_by_label("KSampler (3): steps").fill("3")
    page.get_by_label("LoadImage (1): image", exact=True).set_input_files(CAT)
    page.get_by_role("tab", name="Image to image").click()
    page.get_by_label("Prompt", exact=True).fill("a hat")
    page.get_by_label("Image", exact=True).set_input_files(CAT)
    _paint(page)
    page.mouse.up()
    page.get_by_role("tab", name="Workflow").click()
    expect(page.get_by_label("KSampler (3): steps")).to_have_value("3")
    page.get_by_role("button", name="Remove the file of LoadImage (1): image").click()
    expect(page.get_by_label("LoadImage (1): image", exact=True)).to_be_focused()
    page.get_by_role("tab", name="Image to image").click()
    expect(page.get_by_role("img", name="Mask")).to_be_visible()
    content = submitted(page)["content"]
    with Image.open(io.BytesIO(running.download(content["mask"]))) as mask:
        assert mask.convert("L").getextrema() == (0, 255)


def _paint(page: Page) -> None:
    """Begin to paint a mask, without releasing the button."""
    box = page.get_by_role("img", name="Mask").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 60, steps=3)


def test_what_is_seen_of_a_mask_is_sent_before_the_stroke_has_ended(page: Page) -> None:
    page.get_by_role("tab", name="Image to image").click()
    page.get_by_label("Image", exact=True).set_input_files(CAT)
    _paint(page)
    with page.expect_request("**/v1alpha2") as request:
        page.get_by_label("Prompt", exact=True).press("Control+Enter")
    assert "mask" in json.loads(request.value.post_data or "")["task"]["content"]
    page.mouse.up()


def test_a_mask_is_taken_from_a_file_without_a_mouse(page: Page, running: Pipeline) -> None:
    page.get_by_role("tab", name="Image to image").click()
    page.get_by_label("Image", exact=True).set_input_files(CAT)
    file = page.get_by_label("a mask from a file")
    with Image.open(CAT) as cat:
        size = cat.size
    mask = Image.new("L", (size[0] // 2, size[1] // 2))
    for wrong, text in (
        (Image.new("L", (10, 90), 255), "same shape"),
        (mask, "Nothing in the mask is white"),
    ):
        file.set_input_files(_png("mask.png", wrong))
        expect(page.get_by_role("alert")).to_contain_text(text)
    file.set_input_files({"name": "mask.txt", "mimeType": "text/plain", "buffer": b"no image"})
    expect(page.get_by_role("alert")).to_contain_text("cannot read mask.txt")
    mask.paste(255, (0, 0, mask.width // 2, mask.height))
    file.set_input_files(_png("mask.png", mask))
    expect(page.get_by_role("alert")).to_have_count(0)
    content = submitted(page)["content"]
    with Image.open(io.BytesIO(running.download(content["mask"]))) as sent:
        assert sent.size == size
        row = [sent.convert("L").getpixel((size[0] * part // 8, size[1] // 2)) for part in (1, 3, 5, 7)]
    assert row == [255, 255, 0, 0]


def _png(name: str, image: Image.Image) -> FilePayload:
    file = io.BytesIO()
    image.save(file, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}


def test_previews_are_released_and_other_files_than_images_are_refused(page: Page) -> None:
    page.get_by_role("tab", name="Upscale").click()
    page.evaluate("window.released = []; URL.revokeObjectURL = url => released.push(url); null")
    image = page.get_by_label("Image", exact=True)
    image.set_input_files(CAT)
    first = page.get_by_role("group").locator("img").get_attribute("src")
    image.set_input_files(_png("other.png", Image.new("RGB", (8, 8))))
    expect(page.get_by_text("other.png")).to_be_visible()
    assert page.evaluate("released") == [first]
    image.set_input_files({"name": "clip.mp4", "mimeType": "video/mp4", "buffer": b"-"})
    expect(page.get_by_role("alert")).to_contain_text("clip.mp4 is not an image")
    page.get_by_role("button", name="Remove").click()
    expect(image).to_be_focused()


def test_videos_and_sounds_go_through_a_workflow_by_whatever_name_the_browser_has_for_them(
    page: Page, running: Pipeline
) -> None:
    flow = {
        "1": node("LoadVideo", file="clip.mp4"),
        "2": node("GetVideoComponents", video=["1", 0]),
        "3": node("LoadAudio", audio="sound.mp3"),
        "4": node("CreateVideo", images=["2", 0], fps=8, audio=["3", 0]),
        "5": node("SaveVideo", video=["4", 0], filename_prefix="v", format="auto", codec="auto"),
        "6": node("SaveAudioMP3", audio=["2", 1], filename_prefix="a", quality="V0"),
        "7": node("PreviewAny", source=["2", 2]),
    }
    page.get_by_role("tab", name="Workflow").click()
    page.get_by_label("Workflow in API format", exact=True).set_input_files(
        {"name": "flow.json", "mimeType": "application/json", "buffer": json.dumps(flow).encode()}
    )
    video: FilePayload = {"name": "clip.mp4", "mimeType": "video/x-m4v", "buffer": media.mp4(64, 64, 3)}
    sound: FilePayload = {"name": "sound.mp3", "mimeType": "audio/mp3", "buffer": media.mp3(b"a sound")}
    page.get_by_label("LoadVideo (1): file", exact=True).set_input_files(video)
    page.get_by_label("LoadAudio (3): audio", exact=True).set_input_files(sound)
    task_id = submitted(page)["metadata"]["id"]
    assert running.wait_for_callback(task_id)["status"] == "completed"
    page.get_by_role("button", name=f"Open image 1 of {task_id}").click(timeout=OUTCOME_MS)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Text of node 7")).to_have_value("24.0")
    dialog.locator("video").press("ArrowRight")
    wait_until_drawn(page)
    expect(dialog.locator("video")).to_be_visible()
    dialog.get_by_role("button", name="Close").press("ArrowRight")
    expect(dialog.locator("audio")).to_be_visible()


def test_a_file_that_is_dropped_beside_the_fields_does_not_replace_the_page(page: Page) -> None:
    dropped = """const data = new DataTransfer(); data.items.add(new File(["-"], "cat.png"));
        document.querySelector("header").dispatchEvent(
            new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data}))"""
    assert page.evaluate(dropped) is False, "the browser would open it"
