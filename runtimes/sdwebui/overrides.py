"""The published list of settings in `override_settings` (design, section 2)."""

from collections.abc import Mapping
from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EVERYBODY = "it would change the server for everybody"
_PATHS = "paths on the worker are not a task's to choose"
_FORMAT = "an override of it is restored before the images are encoded, or fails when the work is done"
_STORED = "images are stored in the output bucket, not on the worker's disk"
_UNLISTED = "it is not among the settings that a task may override"

ALLOWED_SETTINGS: Final = _names(
    """
    CLIP_stop_at_last_layers comma_padding_backtrack emphasis enable_batch_seeds sdxl_clip_l_skip
    sdxl_crop_left sdxl_crop_top sdxl_refiner_high_aesthetic_score sdxl_refiner_low_aesthetic_score
    sd3_enable_t5 randn_source tiling upcast_attn use_old_emphasis_implementation
    use_old_karras_scheduler_sigmas use_old_scheduling use_downcasted_alpha_bar auto_backcompat
    no_dpmpp_sde_batch_determinism

    sd_vae sd_vae_decode_method sd_vae_encode_method sd_vae_overrides_per_model_preferences
    forge_additional_modules

    always_discard_next_to_last_sigma beta_dist_alpha beta_dist_beta ddim_discretize eta_ancestral eta_ddim
    eta_noise_seed_delta rho s_churn s_min_uncond s_min_uncond_all s_noise s_tmax s_tmin sd_noise_schedule
    sgm_noise_multiplier sigma_max sigma_min skip_early_cond uni_pc_lower_order_final uni_pc_order
    uni_pc_skip_type uni_pc_variant batch_cond_uncond pad_cond_uncond pad_cond_uncond_v0 token_merging_ratio
    token_merging_ratio_hr token_merging_ratio_img2img

    hires_fix_refiner_pass hires_fix_use_firstpass_conds refiner_switch_by_sample_steps
    use_old_hires_fix_width_height img2img_background_color img2img_color_correction img2img_extra_noise
    img2img_fix_steps initial_noise_multiplier inpainting_mask_weight overlay_inpaint return_mask
    return_mask_composite upscaler_for_img2img

    ESRGAN_tile ESRGAN_tile_overlap DAT_tile DAT_tile_overlap face_restoration face_restoration_model
    code_former_weight enable_prompt_comments extra_networks_default_multiplier
    add_model_hash_to_info add_model_name_to_info add_vae_hash_to_info add_vae_name_to_info
    add_version_to_infotext textual_inversion_add_hashes_to_infotext
    """
)
"""Names that `override_settings` may hold: what shapes this task's images and nothing else.

SD Web UI restores only options that its settings file names (44-override-restore-leak), so each of these
stands in `container/webui/settings.json` with Web UI's own default; any other would stay as the task left it.
"""

REFUSED_SETTINGS: Final[Mapping[str, str]] = {
    "samples_format": _FORMAT,
    "grid_format": _FORMAT,
    "enable_pnginfo": _FORMAT,
    "sd_checkpoint_cache": _EVERYBODY,
    "sd_checkpoints_limit": _EVERYBODY,
    "sd_checkpoints_keep_in_cpu": _EVERYBODY,
    "sd_vae_checkpoint_cache": _EVERYBODY,
    "sd_checkpoint_hash": "alwayson_scripts.sd_model_checkpoint names the checkpoint",
    "memmon_poll_rate": _EVERYBODY,
    "font": _PATHS,
    "profiling_filename": _PATHS,
    "restore_config_state_file": _PATHS,
    "webui_reload_ui_scripts": _EVERYBODY,
}
"""Names in `override_settings` that are refused for a reason worth telling; others just are not allowed."""

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
"""Beginnings of such names."""

CHECKPOINT_SETTING: Final = "sd_model_checkpoint"
"""Taken out of the overrides and read as the routing key of that name (`runtimes.sdwebui.content`)."""


def refused_setting(name: str) -> str | None:
    """Return why the setting `name` may not be overridden by a task, or None."""
    if name in ALLOWED_SETTINGS or name == CHECKPOINT_SETTING:
        return None
    if name in REFUSED_SETTINGS:
        return REFUSED_SETTINGS[name]
    starts = (why for start, why in REFUSED_SETTING_PREFIXES.items() if name.startswith(start))
    return next(starts, _UNLISTED)
