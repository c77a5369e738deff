"""Some classes of VideoHelperSuite as a ComfyUI that has it describes them, from their public definitions."""

from typing import Any, Final

Json = dict[str, Any]

MARKER: Final = "zz-sd-on-ecs.mp4"
"""The file that `tools.node_catalogue` puts into the folder of inputs."""

_MODULE: Final = "custom_nodes.ComfyUI-VideoHelperSuite"
_METADATA: Final = ["save_metadata", "BOOLEAN", {"default": True}]
_FORMATS: Final[Json] = {
    "video/h264-mp4": [
        ["pix_fmt", ["yuv420p", "yuv420p10le"]],
        ["crf", "INT", {"default": 19, "min": 0, "max": 100, "step": 1}],
        _METADATA,
        ["trim_to_audio", "BOOLEAN", {"default": False}],
    ],
    "video/ProRes": [["profile", ["lt", "standard", "hq"], {"default": "hq"}]],
    "video/webm": [
        ["pix_fmt", ["yuv420p", "yuva420p"]],
        ["crf", "INT", {"default": 20, "min": 0, "max": 63, "step": 1}],
        _METADATA,
    ],
    "image/webp": [["lossless", "BOOLEAN", {"default": True}]],
}
_FRAMES: Final[Json] = {
    "force_rate": ["INT", {"default": 0, "min": 0, "max": 60, "step": 1}],
    "custom_width": ["INT", {"default": 512, "min": 0, "max": 8192, "step": 8}],
    "custom_height": ["INT", {"default": 512, "min": 0, "max": 8192, "step": 8}],
    "frame_load_cap": ["INT", {"default": 0, "min": 0, "max": 2**53 - 1, "step": 1}],
    "skip_first_frames": ["INT", {"default": 0, "min": 0, "max": 2**53 - 1, "step": 1}],
    "select_every_nth": ["INT", {"default": 1, "min": 1, "max": 2**53 - 1, "step": 1}],
    "format": [["None", "Wan"], {"formats": {"None": {}, "Wan": {"target_rate": 16, "dim": [8, 0]}}}],
}
_BATCH: Final[Json] = {"meta_batch": ["VHS_BatchManager"], "vae": ["VAE"]}
_LOADED: Final = ["IMAGE", "INT", "AUDIO", "VHS_VIDEOINFO"]


def _class(required: Json, optional: Json, output: list[str], *, output_node: bool = False) -> Json:
    inputs = {"required": required, "optional": optional, "hidden": {"unique_id": "UNIQUE_ID"}}
    return {"input": inputs, "output": output, "output_node": output_node, "python_module": _MODULE}


OBJECT_INFO: Final[Json] = {
    "VHS_VideoCombine": _class(
        {
            "images": ["IMAGE"],
            "frame_rate": ["FLOAT", {"default": 8, "min": 1, "step": 1}],
            "loop_count": ["INT", {"default": 0, "min": 0, "max": 100, "step": 1}],
            "filename_prefix": ["STRING", {"default": "AnimateDiff"}],
            "format": [["image/gif", "image/webp", *list(_FORMATS)[:3]], {"formats": _FORMATS}],
            "pingpong": ["BOOLEAN", {"default": False}],
            "save_output": ["BOOLEAN", {"default": True}],
        },
        {"audio": ["AUDIO"], **_BATCH},
        ["VHS_FILENAMES"],
        output_node=True,
    ),
    "VHS_LoadVideo": _class({"video": [["a.mp4", MARKER]], **_FRAMES}, _BATCH, _LOADED),
    "VHS_LoadVideoPath": _class(
        {"video": ["STRING", {"vhs_path_extensions": ["webm", "mp4"]}], **_FRAMES}, _BATCH, _LOADED
    ),
    "VHS_SelectLatest": _class(
        {"filename_prefix": ["STRING", {"vhs_path_extensions": []}], "filename_postfix": ["STRING", {}]},
        {},
        ["STRING"],
    ),
    "VHS_BatchManager": _class(
        {"frames_per_batch": ["INT", {"default": 16, "min": 1, "max": 2**53 - 1}]}, {}, ["VHS_BatchManager"]
    ),
}
