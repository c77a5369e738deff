"""The expected outcome of each case."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Expected:
    """The expected outcome of a request; texts are parts of what the caller gets.

    The defaults are those of a task that completes with one picture of 512 x 512 pixels and no warning.
    """

    code: str = "completed"
    faults: dict[str, str] = field(default_factory=dict)
    """All faults with which submit refuses the request, by pointer into the content."""
    error_text: str = ""
    """Part of the error message of a task that the worker fails."""
    warnings: dict[str, str] = field(default_factory=dict)
    pictures: int = 1
    size: tuple[int, int] | None = (512, 512)
    """Width and height of each picture; None to accept any."""
    maps: int = 0
    """Images that ControlNet made of its input, which come with the pictures but are none of them."""
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

EXPECTED: dict[str, Expected | dict[str, Expected]] = {
    "01-payload-display-export": Expected(
        warnings={
            f"/alwayson_scripts/{name}": "left out"
            for name in ("API payload", "Comments", "Extra options", "Refiner", "Sampler", "Seed")
        }
        | {"/override_settings_restore_afterwards": "ignored", "/seed_enable_extras": "ignored by SD Web UI"},
        infotext=("Sampler: DPM++ 2M", "Schedule type: Karras", "Seed: 3402"),
    ),
    "02-swagger-defaults": Expected(
        "invalid_task", faults={f"/{name}": '"string" is a placeholder' for name in _PLACEHOLDERS}
    ),
    "03-booleans-as-strings-hires-off": Expected(),
    "05-hires-fix-plain": Expected(size=(1024, 1024), infotext=("Hires upscale: 2", "Hires steps: 6")),
    "06-hires-fix-wrong-field": Expected(
        warnings={
            "/hires_fix": "did you mean enable_hr?",
            "/clip_skip": "did you mean override_settings.CLIP_stop_at_last_layers?",
            "/guidance_scale": "did you mean cfg_scale?",
            "/hr_scale": "did you forget enable_hr?",
            "/hr_upscaler": "did you forget enable_hr?",
        }
    ),
    "08-inpaint-by-links": Expected(size=(96, 64)),  # only the masked part is painted anew
    "09-mask-empty-full-res": Expected(),
    "10-init-image-as-string": Expected("invalid_task", faults={"/init_images": "an array is expected"}),
    "11-png-alpha": Expected(),
    "12-jpeg-exif-rotated": Expected(size=(384, 512)),
    "13-webp-input": Expected(),
    "14-avif-input": Expected(),
    "15-heic-input": Expected("invalid_task", faults={"/init_images/0": "HEIC"}),
    "16-tiff-upload": Expected("invalid_task", faults={"/image": "it is TIFF"}),
    "19-controlnet-canny-hash": Expected(maps=1, infotext=("Module: canny",)),
    "20-controlnet-no-map-in-result": Expected(
        warnings={"/override_settings/control_net_no_detectmap": "taken as save_detected_map: false"},
        infotext=("Module: canny",),
    ),
    "21-controlnet-inpaint-image-mask": Expected(maps=1),
    "22-controlnet-ipadapter-list-of-links": Expected(
        "invalid_task",
        faults={
            "/alwayson_scripts/controlnet/args/0/ipadapter_input": "would unpickle it",
            "/alwayson_scripts/controlnet/args/0/ipadapter_input/0": "links are not downloaded here",
        },
    ),
    "25-adetailer-bool-dict": Expected(),
    "27-adetailer-own-checkpoint": {
        "forge": Expected("invalid_content", error_text="/ad_vae: Forge"),
        "a1111": Expected(),
    },
    "30-reactor-in-extras": Expected("invalid_task", faults={"/alwayson_scripts/reactor": "runs no scripts"}),
    "34-xyz-plot": Expected("invalid_task", faults={"/script_name": "send one task for each value"}),
    "35-soft-inpainting": Expected(size=(64, 48)),
    "36-override-classic": Expected(
        warnings=_TAKEN | {"/override_settings_restore_afterwards": "ignored"},
        infotext=("Model: RealitiesEdgeXL_4", "Clip skip: 2"),
    ),
    "37-sdxl-refiner-static": Expected(
        size=(1024, 1024), infotext=("Refiner: sd_xl_refiner_1.0", "Refiner switch at: 0.8")
    ),
    "40-lora-block-weights": Expected(infotext=("add-detail-xl",)),
    "42-styles": Expected(
        infotext=("cinematic photo of a lighthouse at dusk, 35mm", "Negative prompt: drawing, sketch")
    ),
    "43-wildcards": Expected(pictures=2, infotext=("lighthouse", "Lora hashes")),
    "46-send-images-false": Expected(
        warnings={"/send_images": "ignored", "/save_images": "ignored", "/do_not_save_grid": "ignored"}
    ),
    "47-batch-grid": Expected(pictures=4, warnings={"/do_not_save_grid": "makes no grid of a batch"}),
    "48-prompt-list": Expected("invalid_task", faults={"/prompt": "send one task for each value"}),
    "49-seed-64-bit": Expected(infotext=("Seed: 6687881544318117707",)),
    "50-sampler-index-old-name": Expected(infotext=("Sampler: DPM++ 2M", "Schedule type: Karras")),
    "51-unicode-long-prompt": Expected(infotext=("夕暮れの灯台 🗼🌊, منارة, маяк",)),
    "52-infinity": Expected("invalid_json", faults={"/s_tmax": "Infinity is not JSON"}),
    "53-tiling-faces-v1alpha1": {
        "forge": Expected(warnings={"/tiling": "without effect"}, infotext=("Sampler: Euler a",)),
        "a1111": Expected(infotext=("Sampler: Euler a", "Tiling: True")),
    },
    "55-extras-faces-only": Expected(size=None),
    "57-extras-huge": Expected("input_too_large", error_text="67,108,864 pixels are allowed"),
    "60-link-with-spaces": Expected(),
    "63-s3-virtual-host-private": Expected(),
    "65-basic-auth-link": Expected("invalid_task", faults={"/init_images/0": "inputs.credentials"}),
    "66-google-drive-share": Expected("input_not_an_image", error_text="it is a web page (HTML)"),
    "67-content-encoding-base64": Expected(),
    "68-wrong-content-type": Expected(),
    "70-guidance-image-link-v1alpha2": Expected(
        warnings={"/alwayson_scripts/image_link": "taken as init_images"}
    ),
    "73-v1alpha1-inpaint-link": Expected(size=(96, 64), infotext=("Clip skip: 2",)),
}


def expected_outcome(case: str, flavor: str) -> Expected:
    """Return what a case must come to on one kind of SD Web UI, `forge` or `a1111`."""
    expectation = EXPECTED[case]
    return expectation if isinstance(expectation, Expected) else expectation[flavor]
