"""Requests as callers of AWS's Guidance (sd-on-eks, the project whose API this one implements) send them."""

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

PICTURE: Final = "https://example.org/cat.png"
CHECKPOINT: Final = "v1-5-pruned-emaonly.safetensors"


def _v1alpha1(task: str, name: str, *, scripts: Json | None = None, **content: Any) -> Json:
    routing = {"task": task, "id_task": name, "sd_model_checkpoint": CHECKPOINT, "save_dir": "outputs"}
    return {"alwayson_scripts": routing | (scripts or {}), **content}


def _v1alpha2(task: str, name: str, content: Json) -> Json:
    metadata = {"id": name, "runtime": "sdruntime", "tasktype": task, "prefix": "output", "context": ""}
    return {"task": {"metadata": metadata, "content": content}}


_GENERATION: Final[Json] = {"prompt": "a small harbour", "steps": 16, "width": 512, "height": 512}

ANIMATION: Final[Json] = {
    "args": [
        {
            "model": "motion.safetensors",
            "enable": True,
            "video_length": 32,
            "fps": 8,
            "loop_number": 0,
            "closed_loop": "N",
            "batch_size": 16,
            "stride": 1,
            "overlap": -1,
            "format": ["GIF"],
            "interp": "Off",
            "interp_x": 10,
            "last_frame": None,
            "latent_power": 1,
            "latent_scale": 32,
        }
    ]
}
WORKFLOW: Final[Json] = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}
UPSCALING: Final[Json] = {
    "image": PICTURE,
    "resize_mode": 0,
    "show_extras_results": False,
    "gfpgan_visibility": 0,
    "codeformer_visibility": 0,
    "codeformer_weight": 0,
    "upscaling_resize": 4,
    "upscaling_resize_w": 512,
    "upscaling_resize_h": 512,
    "upscaling_crop": False,
    "upscaler_1": "R-ESRGAN 4x+",
    "upscaler_2": "None",
    "extras_upscaler_2_visibility": 0,
    "upscale_first": False,
}

REQUESTS: Final[Mapping[str, Json]] = {
    "v1alpha1/t2i": _v1alpha1("text-to-image", "g-t2i", **_GENERATION),
    "v1alpha1/i2i": _v1alpha1("image-to-image", "g-i2i", scripts={"image_link": PICTURE}, **_GENERATION),
    "v1alpha1/t2v": _v1alpha1(
        "text-to-image",
        "g-t2v",
        scripts={"uid": "g", "AnimateDiff": ANIMATION},
        batch_size=32,
        cfg_scale=7,
        negative_prompt="(blurred:1.2)",
        **_GENERATION,
    ),
    "v1alpha2/t2i": _v1alpha2("text-to-image", "g2-t2i", {"alwayson_scripts": {}, **_GENERATION}),
    "v1alpha2/i2i": _v1alpha2(
        "image-to-image", "g2-i2i", {"alwayson_scripts": {}, "init_images": [PICTURE], **_GENERATION}
    ),
    "v1alpha2/extra-single-image": _v1alpha2("extra-single-image", "g2-extra", UPSCALING),
    "v1alpha2/pipeline": _v1alpha2("pipeline", "g2-pipeline", WORKFLOW),
}
"""By version and name; `pipeline` is a workflow of ComfyUI, which no runtime type here runs."""

OLD_IMAGE_TO_IMAGE: Final = _v1alpha2(
    "image-to-image", "g2-old", {"alwayson_scripts": {"image_link": PICTURE}, **_GENERATION}
)
"""How image-to-image of v1alpha2 was sent first, with the link where v1alpha1 has it."""
