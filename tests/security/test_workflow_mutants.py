"""Every check of workflows is needed: without it, a case of workflows.yaml fails."""

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from runtimes import comfyui
from tests.security.workflow_cases import cases, check_guard, check_submit

PACKAGE = Path(str(comfyui.__file__)).parent
FOLDER = "comfyui/"
MUTANTS: dict[str, list[tuple[str, str]]] = yaml.safe_load(
    Path(__file__).with_name("mutants.yaml").read_text("utf-8")
)
CHANGES = [
    pytest.param((file.removeprefix(FOLDER), old, new), id=f"{file}: {old.strip()[:60]}")
    for file, changes in MUTANTS.items()
    if file.startswith(FOLDER)
    for old, new in changes
]


@pytest.fixture
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the name of a copy of the package with one change."""
    file, old, new = request.param
    name = f"workflows_{tmp_path.name}".replace("-", "_")
    shutil.copytree(PACKAGE, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for source in (tmp_path / name).glob("*.py"):
        text = source.read_text("utf-8")
        if source.name == file:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
            text = text.replace(old, new)
        source.write_text(text.replace(comfyui.__name__, name), "utf-8")
    sys.path.insert(0, str(tmp_path))
    try:
        yield name
    finally:
        sys.path.remove(str(tmp_path))
        for imported in [each for each in sys.modules if each.split(".")[0] == name]:
            del sys.modules[imported]


def first_failure(package: str) -> str | None:
    """Return the first case that a package fails."""
    guard, options, rules = (module(f"{package}.{name}") for name in ("guard", "options", "runtime_type"))
    for case in cases():
        try:
            check_submit(case, rules)
            check_guard(case, guard, options)
        except Exception:  # noqa: BLE001 - a broken check may break in any way
            return case.why
    return None


def module(name: str) -> ModuleType:
    """Import a module by its name."""
    return importlib.import_module(name)


@pytest.mark.parametrize("copy", CHANGES, indirect=True)
def test_a_case_fails_if_a_check_is_removed(copy: str) -> None:
    assert first_failure(copy) is not None


@pytest.mark.parametrize("copy", [("", "", "")], indirect=True)
def test_an_unchanged_copy_passes_all_cases(copy: str) -> None:
    assert first_failure(copy) is None
