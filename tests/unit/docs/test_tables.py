"""Each setting, metric and error code is in exactly one row of one document, as the code has it.

Alarms: `tests/integration/infra/test_monitoring.py`, which needs the stacks.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from domain.errors import ErrorCode
from domain.metrics import METRICS
from infra.core.gateway_responses import _RESPONSES
from infra.runtime_types.registry import RUNTIME_TYPES
from infra.settings.deployment import settings_of
from tests.support.documents import DOCUMENTS, ROOT
from tools.site.references import metrics

Schema = dict[str, Any]

SETTINGS: Final = "docs/configuration.md"
ERRORS: Final = "docs/errors.md"
ALARMS: Final = "docs/operations.md"
CODES: Final = {*ErrorCode, *(code for _, code, _, _ in _RESPONSES)}
METRIC_NAMES: Final = [metric.name for metric in METRICS]


def rows_of(names: set[str]) -> list[tuple[str, str]]:
    """Return the first cells of tables that are one of these names, each with its document."""
    row = re.compile(rf"^\| `({'|'.join(map(re.escape, sorted(names)))})` \|", re.MULTILINE)
    return [
        (str(path.relative_to(ROOT)), name)
        for path in DOCUMENTS
        for name in row.findall(path.read_text(encoding="utf-8"))
    ]


def _leaves(section: Schema, definitions: Schema, prefix: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield each key that has a value of its own; the keys of a runtime begin anew."""
    for name, property_ in section.get("properties", {}).items():
        key = f"{prefix}{name}"
        inner = list(_sections(property_, definitions))
        if not inner or key == "modelsRuntime":
            yield key, property_
        for one in inner:
            yield from _leaves(one, definitions, "" if key == "modelsRuntime" else f"{key}.")


def _sections(property_: Schema, definitions: Schema) -> Iterator[Schema]:
    choices = [property_, *property_.get("anyOf", ()), *property_.get("oneOf", ())]
    items = property_.get("items", {})
    for choice in [*choices, items, *items.get("anyOf", ()), *items.get("oneOf", ())]:
        if "$ref" in choice:
            found = definitions[choice["$ref"].rpartition("/")[2]]
            if "properties" in found:
                yield found


def _settings() -> dict[str, list[Schema]]:
    """Return the keys of `config.yaml`; one that both runtime types have has two schemas."""
    schema = settings_of(RUNTIME_TYPES).model_json_schema(by_alias=True)
    keys: dict[str, list[Schema]] = {}
    for key, property_ in _leaves(schema, schema["$defs"]):
        keys.setdefault(key, []).append(property_)
    return keys


def _documented_settings() -> list[tuple[str, str]]:
    """Return the keys in the tables of settings, in order, each with the cell of its default."""
    text = (ROOT / SETTINGS).read_text(encoding="utf-8")
    tables = re.findall(r"^\| key \| default \| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    rows = [row.strip("| ").split(" | ") for table in tables for row in table.splitlines()]
    return [(key.strip("` "), cells[1]) for cells in rows for key in cells[0].split(",")]


def test_every_setting_is_in_exactly_one_row() -> None:
    assert sorted(key for key, _ in _documented_settings()) == sorted(_settings())


def test_no_other_document_has_a_table_of_settings() -> None:
    names = {key for key in _settings() if "." in key}
    assert {document for document, _ in rows_of(names)} == {SETTINGS}


@pytest.mark.parametrize(("key", "cell"), _documented_settings())
def test_the_default_of_a_setting_is_that_of_the_code(key: str, cell: str) -> None:
    defaults = [schema.get("default") for schema in _settings()[key]]
    if cell == "none":
        assert not any(defaults)
    elif re.fullmatch(r"`[^`]+`|\d+", cell):
        assert yaml.safe_load(cell.strip("`")) in defaults
    elif not cell.strip():
        assert all("default" not in schema or schema["default"] in {"", None} for schema in _settings()[key])


def test_every_error_code_is_in_exactly_one_row() -> None:
    assert sorted(rows_of(set(CODES))) == sorted((ERRORS, code) for code in CODES)
    text = (ROOT / ERRORS).read_text(encoding="utf-8")
    whole_row = re.compile(
        r"^\| `(\w+)` \| (?:[45](?:\d\d|xx)|task|5xx, task) \| .{20,} \| .+ \|$", re.MULTILINE
    )
    assert sorted(whole_row.findall(text)) == sorted(CODES)


def test_every_metric_is_in_one_row_of_the_page_that_is_made_of_them() -> None:
    listed = re.findall(r"^\| `(\w+)` \| \w+ \| .{10,} \| .+ \|$", metrics(), re.MULTILINE)
    assert listed == METRIC_NAMES
    # Some alarms have the name of their metric.
    assert {document for document, _ in rows_of(set(METRIC_NAMES))} == {ALARMS}
    before_and_after = re.sub(
        r"^\| alarm \|.*\n(\|.*\n)+", "", (ROOT / ALARMS).read_text(), flags=re.MULTILINE
    )
    assert [name for name in METRIC_NAMES if f"| `{name}` |" in before_and_after] == []
