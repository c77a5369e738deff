"""What the settings of one runtime of type `comfyui` allow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.routing import Runtime
from runtimes.comfyui.catalogue import DEFAULT_CATALOGUE, Catalogue, NodeClass, load
from runtimes.comfyui.policy import NEVER_ALLOWED, ONLY_IF_ALLOWED

MOST_NODES: Final = 300
"""Most nodes of a workflow, and of a row of them: bookkeeping of 900 in a row costs ComfyUI 17 seconds."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a runtime, as its settings describe them."""

    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    catalogue_name: str = DEFAULT_CATALOGUE
    metadata: bool = False
    nodes: int = MOST_NODES

    @classmethod
    def of(cls, runtime: Runtime | None) -> "Options":
        """Return the options of a runtime; without one, the defaults."""
        given: Mapping[str, Any] = runtime.options if runtime else {}
        return cls(
            allow=frozenset(given.get("allow", ())),
            deny=frozenset(given.get("deny", ())),
            catalogue_name=given.get("catalogue") or DEFAULT_CATALOGUE,
            metadata=bool(given.get("metadata")),
            nodes=int(given.get("nodes", MOST_NODES)),
        )

    @property
    def catalogue(self) -> Catalogue:
        """Return the catalogue of the runtime's ComfyUI."""
        return load(self.catalogue_name)

    def refused(self, class_type: str, described: NodeClass | None) -> str | None:
        """Return why tasks may not use a class that exists, or None if they may.

        `described` is what the catalogue has of it.
        """
        if class_type in NEVER_ALLOWED:
            return NEVER_ALLOWED[class_type]
        if class_type in self.deny:
            return "the settings of this runtime refuse it (nodes.deny)"
        if class_type in self.allow:
            return None
        if class_type in ONLY_IF_ALLOWED:
            return f"{ONLY_IF_ALLOWED[class_type]}; the settings can allow it (nodes.allow)"
        if described is not None and described.is_custom:
            return "it is a custom node; the settings can allow it (nodes.allow)"
        return None
