"""The published list of what this service owns in `content` (design, section 2).

Everything else is SD Web UI's own and passes as it came.
"""

from collections.abc import Mapping
from typing import Final

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
"""Keys of `alwayson_scripts` that route a task. They name no script: a real Web UI answers 422 to them."""

SUBMIT_ONLY_KEYS: Final = frozenset({"task", "id_task", "uid", "save_dir", "image_link"})
"""Routing keys that have done their work when the task is accepted."""

_STORED = "images are stored in the output bucket, not on the worker's disk"
_RETURNED = "the images must come back to be stored"

OWNED_FIELDS: Final[Mapping[str, str]] = {
    "save_images": _STORED,
    "do_not_save_samples": _STORED,
    "do_not_save_grid": _STORED,
    "send_images": _RETURNED,
    "show_extras_results": _RETURNED,
    "include_init_images": "the output does not repeat the inputs",
    "force_task_id": "the worker names its own job",
    "infotext": "it can hide settings in a text; name them in the content",
    "override_settings_restore_afterwards": "a task's settings always end with the task",
}
"""Fields of `content` that are dropped with a warning, and why."""

_EVERYBODY = "it would change the server for everybody"
_PATHS = "paths on the worker are not a task's to choose"
_FORMAT = "an override of it is restored before the images are encoded, or fails when the work is done"

REFUSED_SETTINGS: Final[Mapping[str, str]] = {
    "samples_format": _FORMAT,
    "grid_format": _FORMAT,
    "sd_checkpoint_cache": _EVERYBODY,
    "sd_checkpoints_limit": _EVERYBODY,
    "sd_checkpoints_keep_in_cpu": _EVERYBODY,
    "sd_vae_checkpoint_cache": _EVERYBODY,
    "memmon_poll_rate": _EVERYBODY,
    "font": _PATHS,
    "webui_reload_ui_scripts": _EVERYBODY,
}
"""Names in `override_settings` that are refused."""

REFUSED_SETTING_PREFIXES: Final[Mapping[str, str]] = {
    "api_": _EVERYBODY,
    "auth_": _EVERYBODY,
    "directories_": _PATHS,
    "disable_": _EVERYBODY,
    "disabled_": _EVERYBODY,
    "outdir_": _PATHS,
    "temp_dir": _PATHS,
    "clean_temp_dir": _PATHS,
    "save_": _STORED,
    "grid_save": _STORED,
    "samples_save": _STORED,
    "samples_filename": _PATHS,
    "grid_filename": _PATHS,
}
"""Beginnings of names in `override_settings` that are refused."""


def refused_setting(name: str) -> str | None:
    """Return why the setting `name` may not be overridden by a task, or None."""
    if name in REFUSED_SETTINGS:
        return REFUSED_SETTINGS[name]
    return next((why for start, why in REFUSED_SETTING_PREFIXES.items() if name.startswith(start)), None)
