"""`docs/comfyui.md` lists every error code with which a task of ComfyUI can fail."""

import re
from pathlib import Path

from domain.errors import ErrorCode

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "comfyui.md").read_text(encoding="utf-8")
ENGINE = ROOT / "container" / "consumer" / "engines" / "comfyui"
OF_ALL_TYPES = {ErrorCode.INFERENCE_TIMEOUT}
"""Raised by the worker for every type of engine."""


def test_the_error_codes_of_the_engine_are_listed() -> None:
    raised = {
        ErrorCode[name]
        for path in ENGINE.glob("*.py")
        for name in re.findall(r"ErrorCode\.([A-Z_]+)", path.read_text(encoding="utf-8"))
    }
    section = TEXT.split("\n## Errors\n", 1)[1].split("\n## ", 1)[0]
    listed = {ErrorCode(name) for name in re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)}
    assert listed == raised | OF_ALL_TYPES
