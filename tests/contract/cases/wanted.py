"""The expected outcome of each case."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wanted:
    """The expected outcome of a request; texts are parts of what the caller gets."""

    code: str = "completed"
    faults: dict[str, str] = field(default_factory=dict)
    """All faults with which submit refuses the request, by pointer into the content."""
    error_text: str = ""
    """Part of the error message of a task that the worker fails."""
    warnings: dict[str, str] = field(default_factory=dict)
    pictures: int = 1
    size: tuple[int, int] | None = (512, 512)
    maps: int = 0
    infotext: tuple[str, ...] = ()
    """Parts of the infotext of the first picture."""


_PLACEHOLDERS = [
    "styles/0",
    "sampler_name",
    "scheduler",
    "refiner_checkpoint",
    "firstpass_image",
    "mask",
    "latent_mask",
    "script_name",
]
_TAKEN = {"/override_settings/sd_model_checkpoint": "taken as alwayson_scripts.sd_model_checkpoint"}

WANTED: dict[str, Wanted | dict[str, Wanted]] = {
    "01-payload-display-export": Wanted(
        warnings={
            f"/alwayson_scripts/{name}": "left out"
            for name in ("API payload", "Comments", "Extra options", "Refiner", "Sampler", "Seed")
        }
        | {"/override_settings_restore_afterwards": "ignored", "/seed_enable_extras": "ignored by SD Web UI"},
        infotext=("Sampler: DPM++ 2M", "Schedule type: Karras", "Seed: 3402"),
    ),
    "02-swagger-defaults": Wanted(
        "invalid_task", faults={f"/{name}": '"string" is a placeholder' for name in _PLACEHOLDERS}
    ),
    "03-booleans-as-strings-hires-off": Wanted(),
    "05-hires-fix-plain": Wanted(size=(1024, 1024), infotext=("Hires upscale: 2", "Hires steps: 6")),
    "06-hires-fix-wrong-field": Wanted(
        warnings={
            "/hires_fix": "did you mean enable_hr?",
            "/clip_skip": "did you mean override_settings.CLIP_stop_at_last_layers?",
            "/guidance_scale": "did you mean cfg_scale?",
            "/hr_scale": "did you forget enable_hr?",
            "/hr_upscaler": "did you forget enable_hr?",
        }
    ),
    "08-inpaint-by-links": Wanted(size=(96, 64)),  # only the masked part is painted anew
    "09-mask-empty-full-res": Wanted(),
    "10-init-image-as-string": Wanted("invalid_task", faults={"/init_images": "an array is expected"}),
    "11-png-alpha": Wanted(),
    "12-jpeg-exif-rotated": Wanted(size=(384, 512)),
    "13-webp-input": Wanted(),
    "14-avif-input": Wanted(),
    "15-heic-input": Wanted("invalid_task", faults={"/init_images/0": "HEIC"}),
    "16-tiff-upload": Wanted("invalid_task", faults={"/image": "it is TIFF"}),
    "19-controlnet-canny-hash": Wanted(maps=1, infotext=("Module: canny",)),
    "20-controlnet-no-map-in-result": Wanted(
        warnings={"/override_settings/control_net_no_detectmap": "taken as save_detected_map: false"},
        infotext=("Module: canny",),
    ),
    "21-controlnet-inpaint-image-mask": Wanted(maps=1),
    "22-controlnet-ipadapter-list-of-links": Wanted(
        "invalid_task",
        faults={
            "/alwayson_scripts/controlnet/args/0/ipadapter_input": "would unpickle it",
            "/alwayson_scripts/controlnet/args/0/ipadapter_input/0": "links are not downloaded here",
        },
    ),
    "25-adetailer-bool-dict": Wanted(),
    "27-adetailer-own-checkpoint": {
        "forge": Wanted("invalid_content", error_text="/ad_vae: Forge"),
        "a1111": Wanted(),
    },
    "30-reactor-in-extras": Wanted("invalid_task", faults={"/alwayson_scripts/reactor": "runs no scripts"}),
    "34-xyz-plot": Wanted("invalid_task", faults={"/script_name": "send one task for each value"}),
    "35-soft-inpainting": Wanted(size=(64, 48)),
    "36-override-classic": Wanted(
        warnings=_TAKEN | {"/override_settings_restore_afterwards": "ignored"},
        infotext=("Model: RealitiesEdgeXL_4", "Clip skip: 2"),
    ),
    "37-sdxl-refiner-static": Wanted(
        size=(1024, 1024), infotext=("Refiner: sd_xl_refiner_1.0", "Refiner switch at: 0.8")
    ),
    "40-lora-block-weights": Wanted(infotext=("add-detail-xl",)),
    "42-styles": Wanted(
        infotext=("cinematic photo of a lighthouse at dusk, 35mm", "Negative prompt: drawing, sketch")
    ),
    "43-wildcards": Wanted(pictures=2, infotext=("lighthouse", "Lora hashes")),
    "46-send-images-false": Wanted(
        warnings={"/send_images": "ignored", "/save_images": "ignored", "/do_not_save_grid": "ignored"}
    ),
    "47-batch-grid": Wanted(pictures=4, warnings={"/do_not_save_grid": "makes no grid of a batch"}),
    "48-prompt-list": Wanted("invalid_task", faults={"/prompt": "send one task for each value"}),
    "49-seed-64-bit": Wanted(infotext=("Seed: 6687881544318117707",)),
    "50-sampler-index-old-name": Wanted(infotext=("Sampler: DPM++ 2M", "Schedule type: Karras")),
    "51-unicode-long-prompt": Wanted(infotext=("夕暮れの灯台 🗼🌊, منارة, маяк",)),
    "52-infinity": Wanted("invalid_json", faults={"/s_tmax": "Infinity is not JSON"}),
    "53-tiling-faces-v1alpha1": {
        "forge": Wanted(warnings={"/tiling": "without effect"}, infotext=("Sampler: Euler a",)),
        "a1111": Wanted(infotext=("Sampler: Euler a", "Tiling: True")),
    },
    "55-extras-faces-only": Wanted(size=None),
    "57-extras-huge": Wanted("input_too_large", error_text="67,108,864 pixels are allowed"),
    "60-link-with-spaces": Wanted(),
    "63-s3-virtual-host-private": Wanted(),
    "65-basic-auth-link": Wanted("invalid_task", faults={"/init_images/0": "inputs.credentials"}),
    "66-google-drive-share": Wanted("input_not_an_image", error_text="it is a web page (HTML)"),
    "67-content-encoding-base64": Wanted(),
    "68-wrong-content-type": Wanted(),
    "70-guidance-image-link-v1alpha2": Wanted(
        warnings={"/alwayson_scripts/image_link": "taken as init_images"}
    ),
    "73-v1alpha1-inpaint-link": Wanted(size=(96, 64), infotext=("Clip skip: 2",)),
}


def wanted(case: str, flavor: str) -> Wanted:
    """Return the right outcome on one kind of SD Web UI."""
    found = WANTED[case]
    return found if isinstance(found, Wanted) else found[flavor]
