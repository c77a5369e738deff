"""Make the pictures of the console in the documents: `python -m tools.screenshots` (needs Chromium)."""

from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

from domain.api_routes import CONSOLE
from local.chromium import ARGUMENTS, MISSING, find_chromium
from local.deploy import ROOT
from local.pipeline import Pipeline, run_pipeline

PICTURES: Final = ROOT / "docs" / "images"
RUNTIME: Final = "sdruntime"
PROMPTS: Final = (
    "a lighthouse at dawn, oil painting",
    "a cat wizard, fantasy",
    "a quiet harbour, watercolor",
)
IMAGE_MS: Final = 60_000


def main() -> None:
    """Run the pipeline, submit tasks on the page, and write the pictures."""
    browser_path = find_chromium()
    if browser_path is None:
        raise SystemExit(f"screenshots: {MISSING}")
    PICTURES.mkdir(exist_ok=True)
    with run_pipeline(runtimes=[RUNTIME], on_step=print) as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
        desktop = _open(browser, running, 1280, 800, "light")
        for seed, prompt in enumerate(PROMPTS, 1):
            _submit(desktop, prompt, seed)
        desktop.get_by_role("button", name="Open image").nth(len(PROMPTS) - 1).wait_for(timeout=IMAGE_MS)
        _write(desktop, PICTURES / "console.png")
        phone = _open(browser, running, 390, 780, "dark")
        phone.get_by_role("button", name="Open image").first.click(timeout=IMAGE_MS)
        phone.get_by_label("Infotext").wait_for()
        _write(phone, PICTURES / "console-phone.png")
        browser.close()


def _open(browser: Browser, running: Pipeline, width: int, height: int, scheme: str) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-GB",
    )
    page = context.new_page()
    page.goto(f"{running.deployment.api_url}{CONSOLE.path}#key={running.deployment.api_key}")
    return page


def _submit(page: Page, prompt: str, seed: int) -> None:
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.get_by_label("Seed").fill(str(seed))
    with page.expect_response("**/v1alpha2"):
        page.get_by_role("button", name="Generate").click()


def _write(page: Page, path: Path) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path)
    print(f"wrote {path.relative_to(ROOT)}")  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
