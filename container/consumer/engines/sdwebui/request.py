"""Build the body of a job's request to SD Web UI from a task's content."""

import json
from typing import Any, Final

from runtimes.sdwebui.policy import ROUTING_KEYS
from runtimes.sdwebui.task_type import TaskType

PATHS: Final = {
    TaskType.TEXT_TO_IMAGE: "/sdapi/v1/txt2img",
    TaskType.IMAGE_TO_IMAGE: "/sdapi/v1/img2img",
    TaskType.EXTRA_SINGLE_IMAGE: "/sdapi/v1/extra-single-image",
    TaskType.EXTRA_BATCH_IMAGES: "/sdapi/v1/extra-batch-images",
}

SAME_MODULES: Final = "Use same choices"
"""Forge's word for the VAE and text encoders of the first pass."""


def request_body(tasktype: TaskType, content: dict[str, Any]) -> bytes:
    """Return the JSON of a content without the keys that only this API reads, and with merged overrides.

    Those routing keys are among the scripts because sd-on-eks, whose request format is kept, had them there.
    """
    body = dict(content)
    scripts = body.pop("alwayson_scripts", None) or {}
    if tasktype.generates:
        body["alwayson_scripts"] = {
            name: entry for name, entry in scripts.items() if name not in ROUTING_KEYS
        }
        overrides = _merge_overrides(body.get("override_settings"), scripts)
        if overrides:
            body["override_settings"] = overrides
        # Overrides are always restored, so that they end with the task.
        body |= {"send_images": True, "save_images": False, "override_settings_restore_afterwards": True}
        if body.get("enable_hr") and not body.get("hr_additional_modules"):
            # Forge fails without it (16-hr-latent-ok); if it is empty, Forge's hires fix ignores an override
            # of the modules. AUTOMATIC1111 does not know it.
            body["hr_additional_modules"] = [SAME_MODULES]
        if body.get("disable_extra_networks"):
            # True would leave the previous task's networks in the model, on Forge for all later tasks. The
            # task's own networks were removed when it was checked.
            body["disable_extra_networks"] = False
    return json.dumps(body, separators=(",", ":")).encode()


def _merge_overrides(own: Any, scripts: dict[str, Any]) -> dict[str, Any]:
    """Merge the body's overrides with those among the scripts, which win as they did in sd-on-eks."""
    merged = dict(own) if isinstance(own, dict) else {}
    among_scripts = scripts.get("override_settings")
    merged |= among_scripts if isinstance(among_scripts, dict) else {}
    if scripts.get("sd_vae"):
        merged["sd_vae"] = scripts["sd_vae"]
    return merged
