"""How many steps each node samples, also where the nodes before it tell them as sigmas."""

from typing import Any, Final

from runtimes.comfyui.workflow import is_link, number, sources_by_order

_SIGMAS: Final = "sigmas"
_SPLIT: Final = "SplitSigmas"
_OF_SAMPLERS: Final = frozenset({"sampler", "sampler_name", "latent_image", "samples", "latent"})
"""Inputs by which a node that takes sigmas samples with them, instead of only changing them."""

_TAKES_NO_STEPS: Final = "AddNoise"
_PASSES: Final = frozenset({"sampler_name", "latent_image"})
"""Inputs of a node that samples its own steps, even if a node after it made sigmas of what it gives."""


def sampled_steps(prompt: dict[str, Any]) -> dict[str, float]:
    """Return how many steps each node samples, for those that sample and are in no circle.

    The steps of a scheduler count at each sampler that takes its sigmas, not at the scheduler.
    """
    before = sources_by_order(prompt)
    schedulers = _schedulers(prompt, before)
    given: dict[str, float] = {}
    sampled: dict[str, float] = {}
    for node, needed in before.items():
        inputs = prompt[node]["inputs"]
        own = number(prompt, inputs.get("steps"))
        taken = [_of_link(prompt, link, given) for link in _sigmas(inputs)]
        if taken:
            # A node with both puts that many steps between each two sigmas (ExtendIntermediateSigmas).
            given[node] = sum(taken) * (1.0 if own is None else own)
        else:
            given[node] = max((given[one] for one in needed), default=0.0) if own is None else own
        if taken and _OF_SAMPLERS & inputs.keys() and prompt[node]["class_type"] != _TAKES_NO_STEPS:
            sampled[node] = given[node] or 1.0
        elif not taken and own is not None and (node not in schedulers or _PASSES & inputs.keys()):
            sampled[node] = own
    return sampled


def _sigmas(inputs: dict[str, Any]) -> list[Any]:
    return [value for name, value in inputs.items() if name.startswith(_SIGMAS) and is_link(value)]


def _of_link(prompt: dict[str, Any], link: Any, given: dict[str, float]) -> float:
    """Return the steps of the sigmas that a link passes on: of split ones, those of its part."""
    source, slot = link
    steps = given.get(source, 0.0)
    if source in given and prompt[source]["class_type"] == _SPLIT:
        first = number(prompt, prompt[source]["inputs"].get("step"))
        if first is not None:
            return min(first, steps) if slot == 0 else max(steps - first, 0.0)
    return steps


def _schedulers(prompt: dict[str, Any], before: dict[str, list[str]]) -> set[str]:
    """Return the nodes whose steps others take as sigmas, directly or through nodes that pass them on."""
    found: set[str] = set()
    waiting = [link[0] for node in before for link in _sigmas(prompt[node]["inputs"])]
    while waiting:
        node = waiting.pop()
        if node in before and node not in found:
            found.add(node)
            inputs = prompt[node]["inputs"]
            if "steps" not in inputs and not _sigmas(inputs):
                waiting += before[node]
    return found
