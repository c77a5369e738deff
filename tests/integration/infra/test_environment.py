"""The functions' entry points and environments in the core stack."""

from pathlib import Path
from typing import Any

import pytest

from functions.environment import ApiEnvironment, Environment
from tests.support.template import Template

ROOT = Path(__file__).parents[3]
ENTRIES: dict[str, type[Environment]] = {
    "api": ApiEnvironment,
    "sweep": Environment,
    "dead_letters": Environment,
}


@pytest.fixture(scope="module")
def functions(core: Template) -> dict[str, dict[str, Any]]:
    """Return the properties of each function by its package, without those that read less.

    Those are the one for requests that wait, which runs the API's code, and the console.
    """
    properties = {name: each["Properties"] for name, each in core.resources("Lambda::Function").items()}
    ours = [
        each
        for name, each in properties.items()
        if str(each.get("Handler")).startswith("functions.")
        and not name.startswith(("WaitFunction", "Console"))
    ]
    return {function["Handler"].split(".")[1]: function for function in ours}


@pytest.mark.parametrize("name", list(ENTRIES))
def test_the_stack_sets_exactly_what_the_function_reads(
    functions: dict[str, dict[str, Any]], name: str
) -> None:
    """Apart from the variables of Powertools and of the metrics."""
    shared = {"POWERTOOLS_SERVICE_NAME", "LOG_LEVEL", "METRICS_NAMESPACE"}
    assert set(functions[name]["Environment"]["Variables"]) - shared == set(ENTRIES[name].names())


@pytest.mark.parametrize("name", list(ENTRIES))
def test_the_entry_points_in_the_stack_exist(functions: dict[str, dict[str, Any]], name: str) -> None:
    module, function = functions[name]["Handler"].rsplit(".", 1)
    assert (ROOT / (module.replace(".", "/") + ".py")).is_file()
    assert function == "handler"
