"""Draw the seeds that a task leaves open, always the same ones for one submission of a task."""

import hashlib
from typing import Any, Final

from runtimes.comfyui.node_values import RANDOM, SEEDS

_SEED_BYTES: Final = 4
"""Every class takes a seed of this size, and JavaScript reads it exactly."""


def draw(prompt: dict[str, Any], key: str) -> dict[str, int]:
    """Put a seed in place of each -1, and return them as `NODE.INPUT`; `key` identifies the submission.

    They follow from the key, so that a task which is delivered again makes the same pictures, while a
    resubmitted one, whose content is compared as it was sent, is still recognized.
    """
    drawn = {}
    for node, one in prompt.items():
        for name in SEEDS:
            value = one["inputs"].get(name)
            if value == RANDOM and type(value) is int:
                digest = hashlib.sha256(f"{key}\n{node}\n{name}".encode()).digest()
                drawn[f"{node}.{name}"] = int.from_bytes(digest[:_SEED_BYTES], "big")
                one["inputs"][name] = drawn[f"{node}.{name}"]
    return drawn
