"""The folders of the tests, each at the path of the package that it tests, and the length of all files."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
TESTS: Final = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))
KINDS: Final = {"unit", "integration", "contract", "model", "security", "faults", "e2e", "support"}
PARTS_OF_A_RUN: Final = {
    "local.emulator",
    "local.pipeline",
    "local.fakes.sdwebui.process",
    "local.fakes.comfyui.process",
    "local.process",
}
"""Modules that start processes or servers."""

OF_A_TEST: Final = re.compile(r"^tests\..*\b(test_\w+|conftest)\b")


PRODUCT: Final = ("domain", "adapters", "runtimes", "functions", "container", "infra", "local", "tools")
MOST_LINES: Final = 300


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def fixtures(path: Path) -> set[str]:
    """Return the names of all parameters in a file, which include those of fixtures."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def test_every_test_is_in_a_folder_for_its_kind() -> None:
    assert {path.parts[1] for path in TESTS if len(path.parts) > 2} == KINDS


def test_no_module_imports_a_test_module_or_a_conftest() -> None:
    assert [f"{path}: {name}" for path in TESTS for name in imported(path) if OF_A_TEST.search(name)] == []


def test_a_unit_test_needs_nothing_that_runs() -> None:
    unit = [path for path in TESTS if path.parts[1] == "unit"]
    assert [str(path) for path in unit if imported(path) & PARTS_OF_A_RUN or "aws" in fixtures(path)] == []


@pytest.mark.parametrize("kind", ["unit", "integration"])
def test_folders_mirror_the_packages_that_they_test(kind: str) -> None:
    below = ROOT / "tests" / kind
    folders = {path.parent.relative_to(below) for path in below.rglob("test_*.py")}
    assert [str(folder) for folder in folders if not (ROOT / folder).is_dir()] == []


def test_no_module_of_the_product_is_longer_than_what_one_can_keep_in_mind() -> None:
    modules = [path for package in PRODUCT for path in (ROOT / package).rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules}
    assert len(lines) > 200
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}
