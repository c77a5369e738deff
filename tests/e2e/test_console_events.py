"""The console when answers arrive late or fail, and when keys and clicks come in an unusual order."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.console import CAT, OUTCOME_MS, accepted, open_image, submitted, wait_until_drawn

pytestmark = [pytest.mark.long, pytest.mark.e2e]

Json = dict[str, Any]
BREAKOUT = "<img src=x onerror=\"document.title='broken'\">"


def _hold(page: Page, url: str) -> list[Route]:
    """Intercept the requests to a URL and leave them unanswered; the test answers them later."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(url, hold)
    return held


def _until_held(page: Page, held: list[Route], count: int) -> None:
    while len(held) < count:
        wait_until_drawn(page)


def _runtime(name: str) -> Json:
    return {"name": name, "type": "sdwebui", "dynamic_model": False, "queued": 0, "in_flight": 0}


def _task(name: str, **changes: Any) -> Json:
    at = "2026-01-01T00:00:00Z"
    summary = {"id": name, "runtime": "sdruntime", "tasktype": "text-to-image", "submitted_at": at}
    details: Json = {"images": [], "other_images": [], "output": None, "error": None, "progress": 1}
    return summary | {"status": "completed", "started_at": at, "finished_at": at} | details | changes


def _link(page: Page, name: str, **valid: int) -> Json:
    until = datetime.now(UTC) + timedelta(**(valid or {"hours": 1}))
    url = page.url.replace("/console", f"/{name}")
    return {"s3": f"s3://bucket/{name}", "url": url, "expires_at": until.isoformat()}


def _serve_tasks(page: Page, *tasks: Json, cursor: str | None = None) -> None:
    """Let the API list these tasks, and read each."""
    names = ("id", "runtime", "tasktype", "submitted_at", "status", "started_at", "finished_at")
    listed = [{name: task[name] for name in names} for task in tasks]
    answer = {"tasks": listed, "cursor": cursor}
    page.route("**/v1alpha2/tasks?*", lambda route: route.fulfill(json=answer))
    for task in tasks:
        page.route(f"**/v1alpha2/tasks/{task['id']}", _answering(task))


def _answering(body: Json, status: int = 200) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, json=body)


def _refresh(page: Page) -> None:
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_names_of_a_runtime_that_arrive_late_do_not_replace_those_of_the_chosen_one(page: Page) -> None:
    page.route("**/v1alpha2/runtimes", _answering({"runtimes": [_runtime("slow"), _runtime("fast")]}))
    held = _hold(page, "**/v1alpha2/runtimes/slow")
    page.route("**/v1alpha2/runtimes/fast", _answering({"engine": {"samplers": ["of fast"]}}))
    page.reload()
    page.get_by_label("Runtime").select_option("fast")
    expect(page.locator("#sampler-choices option")).to_have_attribute("value", "of fast")
    with page.expect_response("**/v1alpha2/runtimes/slow"):
        held[0].fulfill(json={"engine": {"samplers": ["of slow"]}})
    wait_until_drawn(page)
    expect(page.locator("#sampler-choices option")).to_have_attribute("value", "of fast")


def test_the_example_names_the_runtime_also_if_the_list_of_runtimes_arrives_late(page: Page) -> None:
    held = _hold(page, "**/v1alpha2/runtimes")
    page.reload()
    page.get_by_role("tab", name="JSON").click()
    area = page.get_by_label("Body of POST /v1alpha2")
    expect(area).to_be_visible()
    _until_held(page, held, 1)
    held[0].continue_()
    expect(area).to_have_value(re.compile('"runtime": "sdruntime"'))


def test_a_request_is_sent_once_however_often_the_keys_are_pressed(page: Page) -> None:
    held = _hold(page, "**/v1alpha2")
    prompt = page.get_by_label("Prompt", exact=True)
    prompt.fill("a cat")
    page.keyboard.down("Control")
    for _ in range(3):  # the second and third as a key does that is held down
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.keyboard.up("Control")
    prompt.press("Control+Enter")
    _until_held(page, held, 1)
    wait_until_drawn(page)
    assert len(held) == 1
    held[0].continue_()
    accepted(page)
    page.get_by_role("tab", name="Upscale").click()
    page.get_by_label("Scale by").press("Control+Enter")
    wait_until_drawn(page)
    assert len(held) == 1, "there is no image to upscale"


def test_the_same_request_after_lost_answers_is_the_same_task(page: Page) -> None:
    sent: list[str] = []

    def lose_answer(route: Route) -> None:
        sent.append(str(route.request.post_data))
        route.fetch()
        route.abort()

    page.route("**/v1alpha2", lose_answer)
    page.get_by_label("Prompt", exact=True).fill("a cat that is made once")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("alert")).to_contain_text("no answer", timeout=OUTCOME_MS)
    page.unroute("**/v1alpha2")
    assert json.dumps(submitted(page)["metadata"]["id"]) in sent[0]
    assert submitted(page)["metadata"]["id"] not in sent[0], "a request that was answered is a new one"


def test_an_answer_is_shown_at_the_form_that_was_sent(page: Page) -> None:
    held = _hold(page, "**/v1alpha2")
    page.get_by_label("Prompt", exact=True).fill("a cat")
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("tab", name="Image to image").click()
    _until_held(page, held, 1)
    fault = {"path": "/task/content/steps", "message": "too many"}
    refusal = {"error": {"code": "invalid_task", "message": "There are mistakes.", "details": [fault]}}
    with page.expect_response("**/v1alpha2"):
        held[0].fulfill(status=400, json=refusal)
    wait_until_drawn(page)
    expect(page.get_by_label("Steps")).to_have_attribute("aria-invalid", "false")
    expect(page.get_by_text("There are mistakes.")).to_have_count(0)
    page.get_by_role("tab", name="Text to image").click()
    expect(page.locator("#steps-faults")).to_have_text("too many")


def test_a_seed_keeps_all_its_digits(page: Page) -> None:
    page.get_by_label("Prompt", exact=True).fill("a cat")
    page.get_by_label("Seed").fill("18446744073709551615")
    task = submitted(page)
    assert task["content"]["seed"] == "18446744073709551615"
    expect(open_image(page, task["metadata"]["id"])).to_contain_text("18446744073709551615")


def test_a_request_beyond_what_the_browser_stores_can_be_entered(page: Page) -> None:
    page.get_by_role("tab", name="JSON").click()
    area = page.get_by_label("Body of POST /v1alpha2")
    area.evaluate("area => area.value = JSON.stringify({image: 'A'.repeat(6_000_000)})")
    area.dispatch_event("input")
    page.get_by_role("tab", name="Upscale").click()
    page.get_by_role("tab", name="JSON").click()
    assert area.evaluate("area => area.value.length") > 6_000_000


def test_a_late_answer_to_another_key_does_not_sign_out(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.headers["x-api-key"] == "another":
            route.fulfill(json={"runtimes": []})
        else:
            held.append(route)

    page.route("**/v1alpha2/runtimes", hold)
    page.reload()
    _until_held(page, held, 1)
    page.get_by_role("button", name="Forget the key").click()
    key = page.get_by_label("API key")
    expect(key).to_be_focused()
    key.fill("another")
    key.press("Enter")
    expect(page.get_by_role("heading", name="Tasks")).to_be_visible()
    with page.expect_event("requestfinished", lambda request: request == held[0].request):
        held[0].fulfill(status=403, json={"error": {"code": "forbidden", "message": "No.", "details": []}})
    wait_until_drawn(page)
    expect(page.get_by_role("heading", name="Tasks")).to_be_visible()


def test_a_link_with_a_key_that_is_opened_in_the_same_tab_is_taken(page: Page) -> None:
    # API Gateway, which knows no such key, would end the session.
    page.route("**/v1alpha2/runtimes", _answering({"runtimes": []}))
    with page.expect_request(lambda request: request.headers.get("x-api-key") == "another"):
        page.evaluate("location.hash = '#key=another'")
    assert "another" not in page.url
    assert page.evaluate("Object.values(sessionStorage)") == ["another"]


def test_texts_of_tasks_are_never_read_as_html(page: Page) -> None:
    output = _link(page, "out.json")
    task = _task("t" * 128, output=output, error={"code": BREAKOUT, "message": BREAKOUT}, runtime="r" * 90)
    document = {"texts": [{"node": BREAKOUT, "key": "text", "value": [BREAKOUT]}]}
    page.route("**/out.json", _answering(document | {"warnings": [{"path": "/a", "message": BREAKOUT}]}))
    _serve_tasks(page, task)
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    page.get_by_role("button", name="Open the output of").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Text of node")).to_have_value(BREAKOUT)
    expect(dialog.get_by_label("Warnings")).to_contain_text(BREAKOUT)
    assert page.title() == "sd-on-ecs"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_task_that_cannot_be_read_is_no_problem_of_the_others(page: Page) -> None:
    _serve_tasks(page, _task("good", images=[_link(page, "good.png")]), _task("bad"))
    page.route("**/good.png", lambda route: route.fulfill(path=CAT))
    text = "This version cannot read the task's row."
    error = {"error": {"code": "conflict", "message": text, "details": []}}
    page.route("**/v1alpha2/tasks/bad", _answering(error, 409))
    page.reload()
    expect(page.get_by_label("Task bad")).to_contain_text(text)
    expect(page.get_by_role("button", name="Open image 1 of good")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_reading_that_began_before_images_were_deleted_does_not_show_them_again(page: Page) -> None:
    page.route("**/old.png", lambda route: route.fulfill(path=CAT))
    expiring = _task("done", images=[_link(page, "old.png", minutes=1)])
    _serve_tasks(page, expiring)
    page.reload()
    delete = page.get_by_role("button", name="Delete the images of done")
    expect(delete).to_be_visible()
    held = _hold(page, "**/v1alpha2/tasks/done")
    _until_held(page, held, 1)  # the link has almost expired, so the task is read again
    deleted = _task("done", outputs_deleted_at="2026-01-01T00:00:00Z")
    page.route("**/v1alpha2/tasks/done/outputs", _answering(deleted))
    page.on("dialog", lambda dialog: dialog.accept())
    delete.click()
    card = page.get_by_label("Task done")
    expect(card).to_contain_text("were deleted")
    expect(card).to_be_focused()
    with page.expect_response("**/v1alpha2/tasks/done"):
        held[0].fulfill(json=expiring | {"images": [_link(page, "old.png")]})
    wait_until_drawn(page)
    expect(card).to_contain_text("were deleted")


def test_older_tasks_are_loaded_anew_if_a_page_of_newer_ones_came_between(page: Page) -> None:
    _serve_tasks(page, _task("first"), cursor="older")
    page.route("**/v1alpha2/tasks?*cursor=older*", _answering({"tasks": [_task("second")], "cursor": None}))
    page.route("**/v1alpha2/tasks/second", _answering(_task("second")))
    page.reload()
    page.get_by_role("button", name="Older tasks").click()
    expect(page.get_by_label("Task second")).to_be_visible()
    expect(page.get_by_role("button", name="Older tasks")).to_have_count(0)
    _serve_tasks(page, _task("newest", submitted_at="2026-01-02T00:00:00Z"), cursor="between")
    _refresh(page)
    expect(page.get_by_label("Task newest")).to_be_visible()
    expect(page.get_by_label("Task second")).to_have_count(0)
    expect(page.get_by_role("button", name="Older tasks")).to_be_visible()


def test_an_opened_image_gets_a_new_link_before_its_own_expires(page: Page) -> None:
    page.route("**/*.png", lambda route: route.fulfill(path=CAT))
    link = _link(page, "1.png", minutes=1)
    _serve_tasks(page, _task("done", images=[link]))
    page.reload()
    page.get_by_role("button", name="Open image 1 of done").click()
    image = page.get_by_role("dialog").locator("img")
    expect(image).to_have_attribute("src", link["url"])
    renewed = link | {"url": f"{link['url']}?renewed", "expires_at": _link(page, "1.png")["expires_at"]}
    page.route("**/v1alpha2/tasks/done", _answering(_task("done", images=[renewed])))
    expect(image).to_have_attribute("src", renewed["url"], timeout=OUTCOME_MS)
