"""Write the JSON Schema of `config.yaml`, with which editors complete and check it.

python -m tools.config_schema
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from infra.runtime_types.registry import RUNTIME_TYPES
from infra.settings.deployment import settings_of

ROOT: Final = Path(__file__).parent.parent
PATH: Final = ROOT / "config.schema.json"
DOCUMENT: Final = ROOT / "docs" / "configuration.md"

_LINK: Final = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")

Schema = dict[str, Any]


def config_schema() -> str:
    """Return the schema of the settings, without the keys of AWS's Guidance that are accepted too.

    The keys are described by the tables of `docs/configuration.md`.
    """
    schema = settings_of(RUNTIME_TYPES).model_json_schema(by_alias=True)
    meanings = _meanings()
    definitions = schema["$defs"]
    for key, property_ in _properties(schema, definitions):
        property_.pop("title", None)
        if key in meanings:
            property_["description"] = meanings[key]
    for definition in (schema, *definitions.values()):
        definition.pop("title", None)
        # The docstrings are for developers.
        definition.pop("description", None)
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "config.yaml of sd-on-ecs",
        **schema,
    }
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def _meanings() -> dict[str, str]:
    """Return the meaning of each documented key, as plain text."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    return {
        key.strip("` "): _LINK.sub(r"\1", cells[-1])
        for cells in rows
        if len(cells) == len(("key", "default", "meaning"))
        for key in cells[0].split(",")
    }


def _properties(section: Schema, definitions: Schema, prefix: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield each property below a section with its key; the keys of a runtime begin anew."""
    for name, property_ in section.get("properties", {}).items():
        key = f"{prefix}{name}"
        yield key, property_
        for reference in _references(property_):
            inner = "" if key == "modelsRuntime" else f"{key}."
            yield from _properties(definitions[reference], definitions, inner)


def _references(schema: Schema) -> Iterator[str]:
    """Yield the names of the definitions that a property refers to."""
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _references(choice)
    if isinstance(schema.get("items"), dict):
        yield from _references(schema["items"])


if __name__ == "__main__":
    PATH.write_text(config_schema(), encoding="utf-8")
