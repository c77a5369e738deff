"""Types of the fields that SD Web UI knows, from its recorded OpenAPI document.

A kind is the type name of JSON Schema, with `?` if null is allowed; `runtimes.sdwebui.scalars` reads them.
"""

from collections.abc import Mapping
from typing import Final

from runtimes.sdwebui.task_type import TaskType


def _fields(kinds: Mapping[str, str]) -> dict[str, str]:
    return {name: kind for kind, names in kinds.items() for name in names.split()}


_GENERATION: Final = _fields(
    {
        "string?": (
            "prompt negative_prompt sampler_name scheduler refiner_checkpoint firstpass_image "
            "force_task_id script_name infotext"
        ),
        "array of string?": "styles",
        "integer?": (
            "seed subseed seed_resize_from_h seed_resize_from_w batch_size n_iter steps width height"
        ),
        "number?": (
            "subseed_strength cfg_scale distilled_cfg_scale eta s_min_uncond s_churn s_tmax s_tmin "
            "s_noise refiner_switch_at hr_distilled_cfg"
        ),
        "boolean?": (
            "restore_faces tiling do_not_save_samples do_not_save_grid "
            "override_settings_restore_afterwards disable_extra_networks"
        ),
        "object?": "override_settings comments",
        "string": "sampler_index",
        "array": "script_args",
        "boolean": "send_images save_images",
        "object": "alwayson_scripts",
    },
)

_TEXT_TO_IMAGE: Final = _fields(
    {
        "number?": "denoising_strength hr_scale hr_cfg",
        "boolean?": "enable_hr",
        "integer?": "firstphase_width firstphase_height hr_second_pass_steps hr_resize_x hr_resize_y",
        "string?": (
            "hr_upscaler hr_checkpoint_name hr_sampler_name hr_scheduler hr_prompt hr_negative_prompt"
        ),
        "array?": "hr_additional_modules",
    },
)

_IMAGE_TO_IMAGE: Final = _fields(
    {
        "number": "denoising_strength",
        "array?": "init_images",
        "integer?": (
            "resize_mode mask_blur_x mask_blur_y mask_blur inpainting_fill inpaint_full_res_padding "
            "inpainting_mask_invert"
        ),
        "number?": "image_cfg_scale initial_noise_multiplier",
        "string?": "mask latent_mask",
        "boolean?": "mask_round inpaint_full_res",
        "boolean": "include_init_images",
    },
)

_EXTRA: Final = _fields(
    {
        "integer": "resize_mode upscaling_resize_w upscaling_resize_h",
        "boolean": "show_extras_results upscaling_crop upscale_first",
        "number": (
            "gfpgan_visibility codeformer_visibility codeformer_weight upscaling_resize "
            "extras_upscaler_2_visibility"
        ),
        "string": "upscaler_1 upscaler_2",
    },
)

FIELDS: Final[Mapping[TaskType, Mapping[str, str]]] = {
    TaskType.TEXT_TO_IMAGE: _GENERATION | _TEXT_TO_IMAGE,
    TaskType.IMAGE_TO_IMAGE: _GENERATION | _IMAGE_TO_IMAGE,
    TaskType.EXTRA_SINGLE_IMAGE: _EXTRA | {"image": "string"},
    TaskType.EXTRA_BATCH_IMAGES: _EXTRA | {"imageList": "array"},
}
"""The kind of each known field of `content`, by task type."""
