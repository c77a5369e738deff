"""Files that serve every runtime type do not mention SD Web UI."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

PACKAGES: Final = ("domain", "adapters", "runtimes", "functions", "container", "infra", "local", "tools")
WORDS: Final = re.compile(r"alwayson_?scripts|sd_?model|web[\s_#-]*ui", re.IGNORECASE)
OWN: Final = re.compile(r"(^|/)sdwebui(/|\.py$)")
"""SD Web UI's own folders and modules."""

NAMES: Final = re.compile(
    r'(from|import) [\w.]*sdwebui\b[\w. ]*|"sdwebui"|\b(build|running)_sdwebui\b|\bSdWebUi\b'
)
"""The type's name, and what a registry imports."""

EXCEPTIONS: Final = {
    "functions/api/openapi.py": "the API's description says which server makes the images",
    "functions/api/v1alpha1.py": "this version of the API is SD Web UI's own body",
    "functions/api/v1alpha1_schema.py": "this version of the API is SD Web UI's own body",
    "local/config.yaml": "two of its runtimes are of SD Web UI",
    "local/demo.py": "it sends two tasks of SD Web UI",
}


def files() -> Iterator[str]:
    """Yield the files that serve every runtime type: modules, Dockerfiles, lists of dependencies."""
    for package in PACKAGES:
        for path in sorted(Path(package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not OWN.search(str(path)):
                yield str(path)


def mentions_sd_web_ui(path: str) -> bool:
    """Return whether a file contains a word of SD Web UI, also in its name."""
    text = f"{path}\n{Path(path).read_text(encoding='utf-8')}"
    return WORDS.search(NAMES.sub("", text)) is not None


def test_files_for_every_runtime_type_do_not_mention_sd_web_ui() -> None:
    assert [path for path in files() if mentions_sd_web_ui(path) and path not in EXCEPTIONS] == []


@pytest.mark.parametrize("path", EXCEPTIONS)
def test_each_exception_is_still_needed(path: str) -> None:
    assert mentions_sd_web_ui(path)
