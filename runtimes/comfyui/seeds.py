"""Draw the seeds that a task leaves open, always the same ones for one submission of a task."""

import hashlib
from typing import Any, Final

from runtimes.comfyui.node_values import RANDOM, SEEDS

_SEED_BYTES: Final = 4
"""Every class takes a seed of this size, and JavaScript reads it exactly."""


def with_seeds(prompt: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a workflow with a seed in place of each -1; `key` identifies the submission.

    The seeds follow from the key, so that a task which is delivered again makes the same pictures, while a
    resubmitted one, whose content is compared as it was sent, is still recognized.
    """
    return {
        node: one
        | {
            "inputs": {
                name: _drawn(f"{key}\n{node}\n{name}") if _is_open(name, value) else value
                for name, value in one["inputs"].items()
            }
        }
        for node, one in prompt.items()
    }


def seeds(prompt: dict[str, Any]) -> dict[str, int]:
    """Return the seeds of a workflow as `NODE.INPUT`, for the task's output document."""
    return {
        f"{node}.{name}": value
        for node, one in prompt.items()
        for name, value in one["inputs"].items()
        if name in SEEDS and type(value) is int
    }


def _is_open(name: str, value: Any) -> bool:
    return name in SEEDS and type(value) is int and value == RANDOM


def _drawn(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:_SEED_BYTES], "big")
