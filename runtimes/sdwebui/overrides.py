"""The list of settings that are allowed in `override_settings`."""

from collections.abc import Collection, Mapping
from typing import Final

_ALL_TASKS = "it would change the server for all tasks"
_PATHS = "a task must not choose paths on the worker"
_FORMAT = "SD Web UI restores it before it encodes the images, or fails after the work is done"
_STORED = "images are stored in the output bucket, not on the worker's disk"
# SD Web UI caches the last encoding by prompt, checkpoint and some settings, but not by these: observed with
# use_old_emphasis_implementation, and read in its source for the others.
_ENCODED = "later tasks with the same prompt would get this task's encoding"
_NO_MULTIPLIER = "it has no effect on a task; write the weight into the tag, as <lora:name:0.8>"
UNLISTED: Final = (
    "it is not among the settings that a task may override; the operator may add it to allowedSettings"
)

SETTING_KINDS: Final[Mapping[str, str]] = {
    name: kind
    for kind, names in {
        "integer": """
            CLIP_stop_at_last_layers DAT_tile DAT_tile_overlap ESRGAN_tile ESRGAN_tile_overlap
            eta_noise_seed_delta sdxl_crop_left sdxl_crop_top uni_pc_order
        """,
        "number": """
            beta_dist_alpha beta_dist_beta code_former_weight eta_ancestral eta_ddim
            img2img_extra_noise initial_noise_multiplier
            inpainting_mask_weight rho s_churn s_min_uncond s_noise s_tmax s_tmin
            sdxl_refiner_high_aesthetic_score sdxl_refiner_low_aesthetic_score sigma_max sigma_min
            skip_early_cond token_merging_ratio token_merging_ratio_hr token_merging_ratio_img2img
        """,
        "boolean": """
            add_model_hash_to_info add_model_name_to_info add_vae_hash_to_info add_vae_name_to_info
            add_version_to_infotext always_discard_next_to_last_sigma auto_backcompat batch_cond_uncond
            enable_batch_seeds enable_prompt_comments face_restoration hires_fix_use_firstpass_conds
            img2img_color_correction img2img_fix_steps no_dpmpp_sde_batch_determinism overlay_inpaint
            pad_cond_uncond pad_cond_uncond_v0 refiner_switch_by_sample_steps return_mask
            return_mask_composite s_min_uncond_all
            sgm_noise_multiplier textual_inversion_add_hashes_to_infotext tiling
            uni_pc_lower_order_final upcast_attn use_downcasted_alpha_bar
            use_old_karras_scheduler_sigmas use_old_scheduling
        """,
        "string": """
            ddim_discretize emphasis face_restoration_model hires_fix_refiner_pass
            img2img_background_color randn_source sd_noise_schedule sd_vae sd_vae_decode_method
            sd_vae_encode_method uni_pc_skip_type uni_pc_variant
        """,
        "string?": "upscaler_for_img2img",
        "array of string": "forge_additional_modules",
    }.items()
    for name in names.split()
}
"""Settings allowed in `override_settings`, with their kinds: only those that affect this task's images. SD
Web UI restores only options that are in its settings file (44-override-restore-leak), so each of these is in
`container/consumer/engines/sdwebui/image/settings.json` with SD Web UI's own default; any other one would
stay as the task left it. SD Web UI accepts any value, so the kinds are checked here: `"false"` would be
true."""

ALLOWED_SETTINGS: Final = frozenset(SETTING_KINDS)

SETTING_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "ddim_discretize": ("uniform", "quad"),
    "emphasis": ("None", "Ignore", "Original", "No norm"),
    "hires_fix_refiner_pass": ("first pass", "second pass", "both passes"),
    "randn_source": ("GPU", "CPU", "NV"),
    "sd_noise_schedule": ("Default", "Zero Terminal SNR"),
    "sd_vae_decode_method": ("Full", "TAESD"),
    "sd_vae_encode_method": ("Full", "TAESD"),
    "uni_pc_skip_type": ("time_uniform", "time_quadratic", "logSNR"),
    "uni_pc_variant": ("bh1", "bh2", "vary_coeff"),
}
"""Allowed values; SD Web UI silently replaces any other by its default."""

SETTING_BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "CLIP_stop_at_last_layers": (1, 12),
    "DAT_tile": (0, 1024),
    "ESRGAN_tile": (0, 1024),
    "code_former_weight": (0, 1),
    "img2img_extra_noise": (0, 1),
    "inpainting_mask_weight": (0, 1),
    "skip_early_cond": (0, 1),
    "token_merging_ratio": (0, 0.9),
    "token_merging_ratio_hr": (0, 0.9),
    "token_merging_ratio_img2img": (0, 0.9),
    "uni_pc_order": (1, 50),
}
"""Allowed ranges; SD Web UI accepts values beyond, and ignores them or generates nonsense."""

REFUSED_SETTINGS: Final[Mapping[str, str]] = {
    "samples_format": _FORMAT,
    "grid_format": _FORMAT,
    "enable_pnginfo": _FORMAT,
    "use_old_emphasis_implementation": _ENCODED,
    "comma_padding_backtrack": _ENCODED,
    "sdxl_clip_l_skip": _ENCODED,
    "sd3_enable_t5": _ENCODED,
    "extra_networks_default_multiplier": _NO_MULTIPLIER,
    "sd_checkpoint_cache": _ALL_TASKS,
    "sd_vae_overrides_per_model_preferences": "Forge deadlocks when it restores it",
    "sd_checkpoints_limit": _ALL_TASKS,
    "sd_checkpoints_keep_in_cpu": _ALL_TASKS,
    "sd_vae_checkpoint_cache": _ALL_TASKS,
    "sd_checkpoint_hash": "alwayson_scripts.sd_model_checkpoint names the checkpoint",
    "memmon_poll_rate": _ALL_TASKS,
    "font": _PATHS,
    "profiling_filename": _PATHS,
    "restore_config_state_file": _PATHS,
    "use_old_hires_fix_width_height": "hires fix would begin at another size than the one that is checked",
    "webui_reload_ui_scripts": _ALL_TASKS,
}
"""Names in `override_settings` that are refused with a specific reason; all others get a general one."""

REFUSED_SETTING_PREFIXES: Final[Mapping[str, str]] = {
    "api_": _ALL_TASKS,
    "auth_": _ALL_TASKS,
    "directories_": _PATHS,
    "disable_": _ALL_TASKS,
    "disabled_": _ALL_TASKS,
    "outdir_": _PATHS,
    "temp_dir": _PATHS,
    "clean_temp_dir": _PATHS,
    "save_": _STORED,
    "grid_save": _STORED,
    "samples_save": _STORED,
    "samples_filename": _PATHS,
    "grid_filename": _PATHS,
}
"""Prefixes of such names."""

CHECKPOINT_SETTING: Final = "sd_model_checkpoint"
"""Removed from the overrides and read like the routing key of the same name (`runtimes.sdwebui.content`)."""


def setting_refusal(name: str, opened: Collection[str] = ()) -> str | None:
    """Return why a task may not override the setting `name`, or None; `opened` are those of the operator."""
    if name in ALLOWED_SETTINGS or name == CHECKPOINT_SETTING or name in opened:
        return None
    if name in REFUSED_SETTINGS:
        return REFUSED_SETTINGS[name]
    starts = (reason for start, reason in REFUSED_SETTING_PREFIXES.items() if name.startswith(start))
    return next(starts, UNLISTED)


def with_forward_slashes(name: str) -> str:
    r"""Return a model's name with `/` between folders instead of the `\` of Windows."""
    return name.replace("\\", "/")
