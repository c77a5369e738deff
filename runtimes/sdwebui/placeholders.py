"""Find placeholders: texts from the example requests on the page of SD Web UI's API."""

from collections.abc import Iterator
from typing import Any, Final

from domain.body import pointer
from runtimes.sdwebui.fields import FIELDS
from runtimes.sdwebui.prompts import PROMPTS
from runtimes.sdwebui.task_type import TaskType

PLACEHOLDER: Final = "string"
"""The text that the example has in every text field."""

_KEYS: Final = frozenset({"additionalProp1", "additionalProp2", "additionalProp3"})
"""The keys that the example has in every object."""

_OBJECTS: Final = ("override_settings", "alwayson_scripts", "comments")


def is_placeholder_key(name: str) -> bool:
    """Return whether the name of a setting or script is one of the example's."""
    return name in _KEYS


def placeholders(tasktype: TaskType, content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each placeholder (in fields of hires fix only if it is on)."""
    for name, kind in FIELDS[tasktype].items():
        if name in PROMPTS or (name.startswith("hr_") and not content.get("enable_hr")):
            continue
        value = content.get(name)
        if kind.startswith("string") and value == PLACEHOLDER:
            yield f"/{name}", PLACEHOLDER
        elif kind.startswith("array") and isinstance(value, list):
            yield from _list_placeholders(value, f"/{name}")
    for name in _OBJECTS:
        value = content.get(name)
        for key in value if isinstance(value, dict) else ():
            if is_placeholder_key(key):
                yield f"/{name}/{pointer(key)}", key


def _list_placeholders(values: list[Any], path: str) -> Iterator[tuple[str, str]]:
    for index, item in enumerate(values):
        if item == PLACEHOLDER:
            yield f"{path}/{index}", PLACEHOLDER
        elif isinstance(item, dict):
            yield from (
                (f"{path}/{index}/{key}", PLACEHOLDER)
                for key in ("data", "name")
                if item.get(key) == PLACEHOLDER
            )
