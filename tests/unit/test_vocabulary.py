"""Modules that serve every runtime type do not mention SD Web UI."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOMS: Final = ("domain", "adapters", "runtimes", "functions", "container", "infra")
WORDS: Final = re.compile(r"alwayson_scripts|sd_model|webui", re.IGNORECASE)
OWN: Final = re.compile(r"(^|/)sdwebui(/|\.py$)")
"""SD Web UI's own folders and modules."""

NEITHER: Final = re.compile(r'(from|import) [\w.]*sdwebui\b[\w. ]*|"sdwebui"|\bbuild_sdwebui\b|\bSdWebUi\b')
"""The type's name, and what a registry imports."""

EXCEPTIONS: Final = {
    "functions/api/v1alpha1.py": "this version of the API is SD Web UI's own body",
    "functions/api/v1alpha1_schema.py": "this version of the API is SD Web UI's own body",
    "functions/api/response_bodies.py": "a field of v1alpha1's answer",
    "functions/api/schemas.py": "a field of v1alpha1's answer, and what `scripts` of a runtime bounds",
    "domain/routing.py": "what `scripts` of a runtime bounds",
}


def files() -> list[str]:
    """Return the modules that serve every runtime type."""
    found = (str(path) for room in ROOMS for path in sorted(Path(room).rglob("*.py")))
    return [path for path in found if not OWN.search(path)]


def mentions_sd_web_ui(path: str) -> bool:
    """Return whether a module contains a word of SD Web UI."""
    return WORDS.search(NEITHER.sub("", Path(path).read_text(encoding="utf-8"))) is not None


def test_modules_for_every_runtime_type_do_not_mention_sd_web_ui() -> None:
    assert [path for path in files() if mentions_sd_web_ui(path) and path not in EXCEPTIONS] == []


@pytest.mark.parametrize("path", EXCEPTIONS)
def test_each_exception_is_still_needed(path: str) -> None:
    assert mentions_sd_web_ui(path)
