"""How far a job is, from the messages of the websocket."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

SLOW: Final = ("Loader", "VAEDecode", "VAEEncode")
SLOW_WEIGHT: Final = 3.0
MOST: Final = 0.99
"""A job is only done when its history is there."""


class Progress:
    """Adds up the nodes that are done; what it reports never falls.

    `nodes` are those that run for the wanted outputs. Nodes with `steps` weigh as much as their steps.
    """

    def __init__(
        self, prompt: Mapping[str, Any], nodes: Iterable[str], report: Callable[[float], None]
    ) -> None:
        self._weights = {node: _weight(prompt[node]) for node in nodes}
        self._done: dict[str, float] = {}
        self._report = report
        self._reported = 0.0

    def cached(self, nodes: Iterable[str]) -> None:
        """Leave out nodes whose results are taken from earlier jobs."""
        for node in nodes:
            self._weights.pop(node, None)

    def states(self, nodes: Mapping[str, Any]) -> None:
        """Take note of a `progress_state`, which has all nodes begun so far."""
        for state in nodes.values():
            most = float(state.get("max") or 0)
            fraction = min(1.0, float(state.get("value") or 0) / most) if most > 0 else 0.0
            self._note(state, 1.0 if state.get("state") == "finished" else fraction)
        total = sum(self._weights.values())
        if not total:
            return
        fraction = min(
            MOST, sum(self._weights[node] * self._done.get(node, 0.0) for node in self._weights) / total
        )
        if fraction > self._reported:
            self._reported = fraction
            self._report(fraction)

    def _note(self, state: Mapping[str, Any], fraction: float) -> None:
        # A node that was expanded into others is shown under its own id.
        node = str(state.get("display_node_id") or state.get("node_id"))
        expanded = node != str(state.get("node_id"))
        if not expanded:
            self._done[node] = max(fraction, self._done.get(node, 0.0))


def _weight(node: Mapping[str, Any]) -> float:
    steps = node["inputs"].get("steps")
    if isinstance(steps, int | float) and steps >= 1:
        return float(steps)
    return SLOW_WEIGHT if any(word in node["class_type"] for word in SLOW) else 1.0
