"""Every check in the guard, the code that fetches links safely, is needed by a case of links.yaml.

A mutant is a copy of the guard with one check removed.
"""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import runtimes
from adapters import public_http
from container.consumer import inputs
from container.consumer.inputs import fetch
from tests.security.cases import cases
from tests.support.internet import FakeInternet

SOURCES = {
    path.name: path
    for package in (public_http, inputs)
    for path in Path(str(package.__file__)).parent.glob("*.py")
}
"""The modules of the guard by file name; a mutant has all of them in one folder."""

RUNTIMES = Path(str(runtimes.__file__)).parent
MUTANTS: dict[str, list[tuple[str, str]]] = yaml.safe_load(
    Path(__file__).with_name("mutants.yaml").read_text("utf-8")
)
GROUP_TO_TRY_FIRST = {
    "addresses.py": "addresses",
    "hosts.py": "links",
    "links.py": "links",
    "credentials.py": "allowed",
    "s3.py": "links",
    "web.py": "answers",
    "fetch.py": "answers",
    "image_sizes.py": "answers",
}
"""The group of cases that is tried first because it probably fails. The others follow, so a wrong guess costs
only time.
"""

NETWORK = re.compile(r'^ +"[0-9a-f.:]+/\d+",.*\n', re.MULTILINE)


def mutants() -> Iterator[tuple[str, str, str]]:
    """Yield the file, the original text and the replacement of each mutant."""
    for line in NETWORK.findall(SOURCES["addresses.py"].read_text("utf-8")):
        yield "addresses.py", line, ""
    for file, changes in MUTANTS.items():
        for old, new in changes if file in SOURCES else ():
            yield file, old, new


def test_every_module_with_mutants_exists() -> None:
    assert [file for file in MUTANTS if file not in SOURCES and not (RUNTIMES / file).is_file()] == []


@pytest.fixture
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ModuleType]:
    """Import a copy of the guard with one change under another name."""
    file, old, new = request.param
    name = f"guard_{tmp_path.name}".replace("-", "_")
    folder = tmp_path / name
    folder.mkdir()
    for source in SOURCES.values():
        text = source.read_text("utf-8")
        if source.name == file:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
            text = text.replace(old, new)
        for package in (public_http, inputs):
            text = text.replace(package.__name__, name)
        (folder / source.name).write_text(text, "utf-8")
    sys.path.insert(0, str(tmp_path))
    try:
        module = importlib.import_module(f"{name}.fetch")
        vars(module)["changed"] = file
        yield module
    finally:
        sys.path.remove(str(tmp_path))
        for imported in [module_name for module_name in sys.modules if module_name.split(".")[0] == name]:
            del sys.modules[imported]


def first_failure(fake_internet: FakeInternet, implementation: ModuleType, likely: str = "") -> str | None:
    """Return the first case that an implementation fails, beginning with the likely group."""
    for case in sorted(cases(), key=lambda case: (case.is_slow, case.group != likely)):
        try:
            case.check(fake_internet, implementation)
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - a broken guard may break in any way
            return case.name
    return None


@pytest.mark.parametrize(
    "copy",
    [pytest.param(mutant, id=f"{mutant[0]}: {mutant[1].strip()[:50]}") for mutant in mutants()],
    indirect=True,
)
def test_a_case_fails_if_a_check_is_removed(copy: ModuleType, internet: FakeInternet) -> None:
    assert first_failure(internet, copy, GROUP_TO_TRY_FIRST.get(copy.changed, "")) is not None


@pytest.mark.parametrize("copy", [("", "", "")], indirect=True)
def test_an_unchanged_copy_passes_all_cases(copy: ModuleType, internet: FakeInternet) -> None:
    assert copy is not fetch
    assert first_failure(internet, copy) is None
