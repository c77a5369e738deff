"""The runtimes of a deployment."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

DEFAULT_TYPE: Final = "sdwebui"
"""The type of a runtime that names none, as in the settings file of AWS's Guidance."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime as the settings describe it."""

    name: str
    type: str = DEFAULT_TYPE
    model_filename: str | None = None
    dynamic_model: bool = False
    queue_url: str = ""
    scripts: frozenset[str] | None = None
    """Names of the scripts that a task may use, in lower case; None allows all."""

    refiner_filename: str | None = None
    """A second checkpoint that a static runtime can switch to within a task, such as SDXL's refiner."""

    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Settings of the engine that the operator allows tasks to override, with the types of their values."""

    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Settings that only the runtime's type reads, as JSON values."""

    def as_dict(self) -> dict[str, Any]:
        """Return the values that are set, for the Lambda's environment, which is limited to 4 KB."""
        found = {
            "name": self.name,
            "type": self.type,
            "modelFilename": self.model_filename,
            "refinerFilename": self.refiner_filename,
            "dynamicModel": self.dynamic_model,
            "queueUrl": self.queue_url,
            "scripts": sorted(self.scripts) if self.scripts is not None else None,
            "settings": dict(self.settings) or None,
            "options": dict(self.options) or None,
        }
        return {name: value for name, value in found.items() if value is not None}


class Runtimes:
    """The runtimes of a deployment, in the order of its settings."""

    def __init__(self, runtimes: list[Runtime]) -> None:
        self._by_name = {runtime.name: runtime for runtime in runtimes}

    @classmethod
    def from_json(cls, text: str) -> "Runtimes":
        """Read the list that `Runtime.as_dict` produced."""
        return cls(
            [
                Runtime(
                    name=entry["name"],
                    type=entry.get("type") or DEFAULT_TYPE,
                    model_filename=entry.get("modelFilename") or None,
                    refiner_filename=entry.get("refinerFilename"),
                    dynamic_model=bool(entry.get("dynamicModel")),
                    queue_url=entry.get("queueUrl") or "",
                    scripts=frozenset(entry["scripts"]) if entry.get("scripts") is not None else None,
                    settings=entry.get("settings") or {},
                    options=entry.get("options") or {},
                )
                for entry in json.loads(text)
            ],
        )

    def __iter__(self) -> Iterator[Runtime]:
        return iter(self._by_name.values())

    @property
    def names(self) -> list[str]:
        """Return the names of the runtimes in the order of the settings."""
        return list(self._by_name)

    def named(self, name: str) -> Runtime | None:
        """Return the runtime with this name, or None."""
        return self._by_name.get(name)
