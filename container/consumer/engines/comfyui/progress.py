"""How far a job is, from the messages of the websocket."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

SLOW: Final = ("Loader", "VAEDecode", "VAEEncode")
SLOW_WEIGHT: Final = 3.0
MAX_CLASSES: Final = 1000
MOST: Final = 0.99
"""A job is only done when its history is there."""


class Speeds:
    """How long nodes of each class have taken for a unit of their weight.

    With it, a job that is half done has taken half of its time: the next job is prepared and started by that.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def learn(self, class_type: str, seconds: float) -> None:
        """Take note of the seconds that a node took for a unit; later jobs count as much as all before."""
        if class_type not in self._seconds and len(self._seconds) >= MAX_CLASSES:
            self._seconds.clear()
        before = self._seconds.get(class_type, seconds)
        self._seconds[class_type] = (before + seconds) / 2

    def seconds(self, class_type: str) -> float:
        """Return the seconds of a unit; those of an average class for one that has not run."""
        known = self._seconds
        return known.get(class_type) or (sum(known.values()) / len(known) if known else 1.0)


class Progress:
    """Adds up the nodes that are done; what it reports never falls.

    `nodes` are those that run for the wanted outputs. Nodes with `steps` weigh as much as their steps.
    """

    def __init__(
        self,
        prompt: Mapping[str, Any],
        nodes: Iterable[str],
        report: Callable[[float], None],
        speeds: Speeds | None = None,
    ) -> None:
        self._speeds = speeds or Speeds()
        self._prompt = prompt
        self._weights = {
            node: _weight(prompt[node]) * self._speeds.seconds(prompt[node]["class_type"]) for node in nodes
        }
        self._began: dict[str, float] = {}
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
        if expanded or node not in self._prompt:
            return
        began = self._began.setdefault(node, time.monotonic())
        if fraction >= 1.0 and self._done.get(node, 0.0) < 1.0:
            units = _weight(self._prompt[node])
            self._speeds.learn(self._prompt[node]["class_type"], (time.monotonic() - began) / units)
        self._done[node] = max(fraction, self._done.get(node, 0.0))


def _weight(node: Mapping[str, Any]) -> float:
    steps = node["inputs"].get("steps")
    if isinstance(steps, int | float) and steps >= 1:
        return float(steps)
    return SLOW_WEIGHT if any(word in node["class_type"] for word in SLOW) else 1.0
