"""The fields and scripts of a task's content that this service controls.

Everything else is passed on to SD Web UI unchanged.
"""

from collections.abc import Mapping
from typing import Any, Final

ROUTING_KEYS: Final = frozenset(
    {
        "task",
        "id_task",
        "uid",
        "save_dir",
        "image_link",
        "sd_model_checkpoint",
        "sd_vae",
        "override_settings",
    },
)
"""Keys of `alwayson_scripts` that route a task. They are not scripts, and a real Web UI responds 422 to
them."""

SUBMIT_ONLY_KEYS: Final = frozenset(
    {"task", "id_task", "uid", "save_dir", "group", "image_link", "output", "webhook"}
)
"""Routing keys that are not needed after a task is accepted."""

_STORED = "images are stored in the output bucket, not on the worker's disk"
_RETURNED = "the worker needs the images in the response"

OWNED_FIELDS: Final[Mapping[str, str]] = {
    "save_images": _STORED,
    "do_not_save_samples": _STORED,
    "do_not_save_grid": "SD Web UI's API makes no grid of a batch; each picture is stored by itself",
    "send_images": _RETURNED,
    "show_extras_results": _RETURNED,
    "include_init_images": "the output does not repeat the inputs",
    "force_task_id": "the worker sets the id of its job",
    "infotext": "it can contain settings; name them in the content",
    "override_settings_restore_afterwards": "a task's settings are always restored after it",
}
"""Fields of `content` that are dropped with a warning, and why."""

_PATHS = "a task must not choose paths on the worker"

REFUSED_SCRIPTS: Final[Mapping[str, str]] = {
    "custom code": "it runs code on the worker",
    "extra options": "name the settings in override_settings",
    "refiner": "name refiner_checkpoint and refiner_switch_at in the content",
    "sampler": "name steps, sampler_name and scheduler in the content",
    "seed": "name seed, subseed and the related fields in the content",
}
"""Scripts, in lower case, that are always refused because they bypass validation."""

ONE_TASK_EACH: Final = "send one task for each value: tasks of one checkpoint run one after the other"
"""What a caller with several values for a field can do."""

NAMED_SCRIPTS: Final[Mapping[str, str]] = {
    "prompts from file or textbox": "its lines choose checkpoints, sizes and folders on the worker",
    "x/y/z plot": "its axes choose checkpoints, settings and any number of images",
}
"""Scripts, in lower case, that a task may name only if the runtime's settings list them."""

ALL_OTHERS: Final = "*"
"""In a runtime's list, stands for everything that is allowed without a list."""

_PATH_KEYS: Final = ("_dir", "_directory", "_folder", "_path")
_PATH_LISTS: Final = frozenset({"batch_images", "batch_input_gallery", "batch_mask_gallery"})
"""ControlNet accepts files of the worker here, as a path or a list of paths."""


def script_refusal(name: str, listed: frozenset[str] | None) -> str | None:
    """Return why a task may not name the script, or None; `listed` are the runtime's scripts, None for all.

    SD Web UI compares names in lower case.
    """
    name = name.lower()
    if name in REFUSED_SCRIPTS:
        return REFUSED_SCRIPTS[name]
    if listed is None or (ALL_OTHERS in listed and name not in listed):
        reason = NAMED_SCRIPTS.get(name)
        if reason is None:
            return None
        return f"{reason}, and the scripts of the runtime's settings do not list it; {ONE_TASK_EACH}"
    return (
        None if name in listed else f"this runtime allows the scripts: {', '.join(sorted(listed)) or 'none'}"
    )


def argument_refusal(key: str, value: Any) -> str | None:
    """Return why a script's argument must not have the value, or None if it may."""
    if not value:
        return None
    if key == "ipadapter_input":
        return (
            "not allowed: SD Web UI would unpickle it, which can run code; give the images as "
            'image: [{"image": …}, …]'
        )
    if key in _PATH_LISTS or (isinstance(value, str) and key.endswith(_PATH_KEYS)):
        return f"not allowed: {_PATHS}"
    return None
