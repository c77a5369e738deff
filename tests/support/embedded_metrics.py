"""Read log lines in the embedded metric format as CloudWatch does, and check them by AWS's specification.

Source: CloudWatch user guide, "Specification: Embedded metric format". Where it says "MUST NOT contain any
additional members" the schema is closed.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from jsonschema import Draft202012Validator

_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 255}
_UNITS: Final = ("Seconds", "Milliseconds", "Bytes", "Megabytes", "Percent", "Count", "None")
_METRIC_DEFINITION: Final = {
    "type": "object",
    "required": ["Name"],
    "additionalProperties": False,
    "properties": {
        "Name": _NAME,
        "Unit": {"enum": list(_UNITS)},
        "StorageResolution": {"enum": [1, 60]},
    },
}
_DIRECTIVE: Final = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "additionalProperties": False,
    "properties": {
        "Namespace": _NAME | {"maxLength": 1024},
        # A set may be empty. CloudWatch keeps, and bills, one metric for each set.
        "Dimensions": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array", "maxItems": 30, "items": _NAME, "uniqueItems": True},
        },
        "Metrics": {"type": "array", "minItems": 1, "maxItems": 100, "items": _METRIC_DEFINITION},
    },
}
SCHEMA: Final = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": False,
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 1_600_000_000_000},
                "CloudWatchMetrics": {"type": "array", "minItems": 1, "items": _DIRECTIVE},
            },
        }
    },
}
MAX_BYTES: Final = 256 * 1024
"""The older of the two limits that AWS's pages give for one document."""


@dataclass(frozen=True)
class Datum:
    """One value of one metric, as CloudWatch stores it."""

    namespace: str
    name: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    value: float


def read_metrics(line: str) -> list[Datum]:
    """Return the values that CloudWatch extracts from a line.

    Raise jsonschema's ValidationError or AssertionError if the line breaks a rule of the format.
    """
    assert len(line.encode()) <= MAX_BYTES
    body = json.loads(line)
    Draft202012Validator(SCHEMA).validate(body)
    data = []
    for directive in body["_aws"]["CloudWatchMetrics"]:
        for dimension_set in directive["Dimensions"]:
            for name in dimension_set:
                # CloudWatch accepts as a dimension's value only ASCII that does not begin with a colon.
                value = body[name]
                assert isinstance(value, str)
                assert value.isascii()
                assert 1 <= len(value) <= 255
                assert not value.startswith(":")
            data += [
                _datum(body, directive["Namespace"], metric, dimension_set) for metric in directive["Metrics"]
            ]
    return data


def _datum(body: dict[str, Any], namespace: str, metric: dict[str, str], names: list[str]) -> Datum:
    value = body[metric["Name"]]
    assert isinstance(value, int | float)
    assert not isinstance(value, bool)
    dimensions = tuple((name, body[name]) for name in sorted(names))
    return Datum(namespace, metric["Name"], metric["Unit"], dimensions, value)


def metric_lines(lines: Iterable[str]) -> list[str]:
    """Return the lines from which CloudWatch extracts metrics."""
    return [line for line in lines if line.startswith("{") and '"_aws"' in line]
