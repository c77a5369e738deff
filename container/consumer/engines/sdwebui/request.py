"""The body of a request to SD Web UI."""

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


def request_body(tasktype: TaskType, content: dict[str, Any]) -> bytes:
    """Return the body for SD Web UI: no routing keys, merged overrides, and images in the response."""
    body = dict(content)
    scripts = body.pop("alwayson_scripts", None) or {}
    if tasktype.generates:
        body["alwayson_scripts"] = {
            name: entry for name, entry in scripts.items() if name not in ROUTING_KEYS
        }
        overrides = _overrides(body.get("override_settings"), scripts)
        if overrides:
            body["override_settings"] = overrides
        # Always restored, so that a task's overrides end with the task.
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


def _overrides(own: Any, scripts: dict[str, Any]) -> dict[str, Any]:
    """Merge the overrides of the routing keys over the body's, as sd-on-eks did."""
    merged = dict(own) if isinstance(own, dict) else {}
    routed = scripts.get("override_settings")
    merged |= routed if isinstance(routed, dict) else {}
    if scripts.get("sd_vae"):
        merged["sd_vae"] = scripts["sd_vae"]
    return merged
