"""Web UI's request bodies, with the fields, order, types and defaults of its OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class _Head(BaseModel):
    prompt: str | None = ""
    negative_prompt: str | None = ""
    styles: list[str] | None = None
    seed: int | None = -1
    subseed: int | None = -1
    subseed_strength: float | None = 0
    seed_resize_from_h: int | None = -1
    seed_resize_from_w: int | None = -1
    sampler_name: str | None = None
    scheduler: str | None = None
    batch_size: int | None = 1
    n_iter: int | None = 1
    steps: int | None = 50
    cfg_scale: float | None = 7.0
    distilled_cfg_scale: float | None = 3.5
    width: int | None = 512
    height: int | None = 512
    restore_faces: bool | None = None
    tiling: bool | None = None
    do_not_save_samples: bool | None = False
    do_not_save_grid: bool | None = False
    eta: float | None = None
    denoising_strength: float | None = None
    s_min_uncond: float | None = None
    s_churn: float | None = None
    s_tmax: float | None = None
    s_tmin: float | None = None
    s_noise: float | None = None
    override_settings: dict[str, Any] | None = None
    override_settings_restore_afterwards: bool | None = True
    refiner_checkpoint: str | None = None
    refiner_switch_at: float | None = None
    disable_extra_networks: bool | None = False
    firstpass_image: str | None = None
    comments: dict[str, Any] | None = None


class _Tail(BaseModel):
    script_name: str | None = None
    script_args: list[Any] = []
    send_images: bool = True
    save_images: bool = False
    alwayson_scripts: dict[str, Any] = {}
    infotext: str | None = None


class _Txt2ImgFields(_Head):
    enable_hr: bool | None = False
    firstphase_width: int | None = 0
    firstphase_height: int | None = 0
    hr_scale: float | None = 2.0
    hr_upscaler: str | None = None
    hr_second_pass_steps: int | None = 0
    hr_resize_x: int | None = 0
    hr_resize_y: int | None = 0
    hr_checkpoint_name: str | None = None
    hr_additional_modules: list[Any] | None = None
    hr_sampler_name: str | None = None
    hr_scheduler: str | None = None
    hr_prompt: str | None = ""
    hr_negative_prompt: str | None = ""
    hr_cfg: float | None = 1.0
    hr_distilled_cfg: float | None = 3.5
    force_task_id: str | None = None
    sampler_index: str = "Euler"


class _Img2ImgFields(_Head):
    denoising_strength: float = 0.75  # the only field of both for which null is a 422
    init_images: list[Any] | None = None
    resize_mode: int | None = 0
    image_cfg_scale: float | None = None
    mask: str | None = None
    mask_blur_x: int | None = 4
    mask_blur_y: int | None = 4
    mask_blur: int | None = None
    mask_round: bool | None = True
    inpainting_fill: int | None = 0
    inpaint_full_res: bool | None = True
    inpaint_full_res_padding: int | None = 0
    inpainting_mask_invert: int | None = 0
    initial_noise_multiplier: float | None = None
    latent_mask: str | None = None
    force_task_id: str | None = None
    hr_distilled_cfg: float | None = 3.5
    sampler_index: str = "Euler"
    include_init_images: bool = False


class StableDiffusionProcessingTxt2Img(_Tail, _Txt2ImgFields):
    """Text to image."""


class StableDiffusionProcessingImg2Img(_Tail, _Img2ImgFields):
    """Image to image."""


Generation = StableDiffusionProcessingTxt2Img | StableDiffusionProcessingImg2Img


class ExtrasRequest(BaseModel):
    """How to upscale images."""

    resize_mode: Literal[0, 1] = 0
    show_extras_results: bool = True
    gfpgan_visibility: float = Field(0, ge=0, le=1)
    codeformer_visibility: float = Field(0, ge=0, le=1)
    codeformer_weight: float = Field(0, ge=0, le=1)
    upscaling_resize: float = Field(2, gt=0)
    upscaling_resize_w: int = Field(512, ge=1)
    upscaling_resize_h: int = Field(512, ge=1)
    upscaling_crop: bool = True
    upscaler_1: str = "None"
    upscaler_2: str = "None"
    extras_upscaler_2_visibility: float = Field(0, ge=0, le=1)
    upscale_first: bool = False


class ExtrasSingleImageRequest(ExtrasRequest):
    """Upscale one image."""

    image: str = ""


class FileData(BaseModel):
    """One image of a batch."""

    data: str
    name: str


class ExtrasBatchImagesRequest(ExtrasRequest):
    """Upscale several images."""

    imageList: list[FileData]  # noqa: N815 -- Web UI's own name


class PNGInfoRequest(BaseModel):
    """Read the infotext of an image."""

    image: str


class InterrogateRequest(BaseModel):
    """Caption an image."""

    image: str = ""
    model: str = "clip"


class ProgressOfTask(BaseModel):
    """Request the progress of one task, as Web UI's own page does."""

    id_task: str | None = None
    id_live_preview: int | None = -1
    live_preview: bool | None = True
