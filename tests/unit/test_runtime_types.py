"""Only registries name a runtime type, so that a further type needs a line in each and no other change."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from container.consumer.engines.registry import ENGINES
from infra.runtime_types.registry import RUNTIME_TYPES as DEPLOYED
from local.fakes.registry import FAKES, REQUESTS
from runtimes.registry import RUNTIME_TYPES
from tests.support.toy import registrations


def test_the_registries_know_the_same_runtime_types() -> None:
    assert ENGINES.keys() == RUNTIME_TYPES.keys()
    assert DEPLOYED.keys() == RUNTIME_TYPES.keys()
    assert FAKES.keys() == RUNTIME_TYPES.keys()
    assert REQUESTS.keys() == FAKES.keys()


def test_every_runtime_type_is_registered_by_its_own_name() -> None:
    assert {name: runtime_type.name for name, runtime_type in RUNTIME_TYPES.items()} == {
        name: name for name in RUNTIME_TYPES
    }
    names = {name: settings.model_fields["type"].default for name, settings in DEPLOYED.items()}
    assert names == {name: name for name in DEPLOYED}


PACKAGES: Final = ("domain", "runtimes", "adapters", "functions", "container", "infra", "local", "tools")
REGISTRIES: Final = {
    "runtimes/registry.py",
    "container/consumer/engines/registry.py",
    "infra/runtime_types/registry.py",
    "local/fakes/registry.py",
}
EXCEPTIONS: Final = {
    "functions/api/v1alpha1.py": "this version of the API is SD Web UI's own body",
    "functions/api/v1alpha1_schema.py": "this version of the API is SD Web UI's own body",
}


def test_only_registries_import_the_modules_of_one_runtime_type() -> None:
    assert {path for path in _files() if _imports_sdwebui(path)} == REGISTRIES | EXCEPTIONS.keys()


def _files() -> Iterator[str]:
    """Yield the modules outside of SD Web UI's own folders."""
    for package in PACKAGES:
        yield from (str(path) for path in Path(package).rglob("*.py") if "sdwebui" not in str(path))


def _imports_sdwebui(path: str) -> bool:
    modules: list[str] = []
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            modules += [f"{node.module}.{name.name}" for name in node.names]
        elif isinstance(node, ast.Import):
            modules += [name.name for name in node.names]
    return any("sdwebui" in module.split(".") for module in modules)


def test_nothing_but_a_registry_names_a_runtime_type() -> None:
    files_with_the_name = {path for path in _files() if '"sdwebui"' in Path(path).read_text(encoding="utf-8")}
    # The rules are registered by their own name; a runtime without a type is of the default one.
    assert files_with_the_name == REGISTRIES - {"runtimes/registry.py"} | {"domain/routing.py"}


def test_a_further_type_is_registered_once_for_each_deployable() -> None:
    dictionaries = [value for value in vars(registrations).values() if isinstance(value, dict)]
    assert len([dictionary for dictionary in dictionaries if "toy" in dictionary]) == 3
