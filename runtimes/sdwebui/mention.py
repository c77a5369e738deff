"""One place of a task's content that names a model, and the words that stand for no model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runtimes.sdwebui.model_names import Kind

SCRIPTS: Final = "alwayson_scripts"

NO_CHECKPOINT: Final = frozenset({"", "None", "Use same checkpoint"})
NO_VAE: Final = frozenset({"", "None", "Automatic", "auto", "Use same VAE"})
NO_MODULE: Final = frozenset({"", "None", "Use same choices", "Built in"})
NO_UPSCALER: Final = frozenset({"", "None"})
NO_CONTROLNET: Final = frozenset({"", "None", "Passthrough"})
NO_DETECTOR: Final = frozenset({"", "None"})

_OFF: Final = frozenset({"false", "f", "0", "no", "n", "off", ""})


@dataclass(frozen=True, slots=True)
class Mention:
    """A place that names a model; `path` is a JSON pointer into the content."""

    kind: Kind
    name: str
    path: str
    holder: Any
    key: Any
    """The name, or the text with the tag, is `holder[key]`."""
    in_tag: bool = False
    """Whether the name is in a tag of a prompt."""
    required: bool = True
    """Whether the task fails without it; otherwise it is only fetched if it exists."""
    by_index: bool = False
    """Whether the name is a position in SD Web UI's list, from 0."""


def is_on(value: Any) -> bool:
    """Return a boolean as SD Web UI reads it: `"false"` and `"0"` are False."""
    return value.strip().lower() not in _OFF if isinstance(value, str) else bool(value)


def mentions_at(kind: Kind, path: str, holder: Any, key: Any, none: frozenset[str]) -> Iterator[Mention]:
    """Yield the mention at `holder[key]`, if it names a model."""
    name = holder.get(key) if isinstance(holder, Mapping) else holder[key]
    if isinstance(name, str) and name not in none:
        yield Mention(kind, name, path, holder, key)


def as_object(value: Any) -> dict[str, Any]:
    """Return the value if it is an object, otherwise an empty object."""
    return value if isinstance(value, dict) else {}
