"""The model bucket of the cases: a tiny file for each model that they name."""

import hashlib
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from local.fakes.model_file import write_checkpoint
from local.fakes.sdwebui.controlnet import short_hash
from tests.contract.serving import lora

CHECKPOINT_NAMES = (
    "v1-5-pruned-emaonly.safetensors",
    "sd_xl_refiner_1.0.safetensors",
    "realisticVisionV51.safetensors",
    "sdxl/RealitiesEdgeXL_4.safetensors",
)
LORA_NAMES = ("add-detail-xl", "style-a", "style-b")
CONTROLNET_MODELS = (
    "control_v11p_sd15_canny",
    "control_v11p_sd15_inpaint",
    "control_v11f1p_sd15_depth",
    "ip-adapter_sd15",
)
OTHER_FILES = {
    "VAE/vae-ft-mse-840000-ema-pruned.safetensors": b"vae",
    "adetailer/face_yolov8n.pt": b"yolo",
    "GFPGAN/GFPGANv1.4.pth": b"gfpgan",
    "Codeformer/codeformer-v0.1.0.pth": b"codeformer",
}
STYLES = b"""\xef\xbb\xbfname,prompt,negative_prompt
Cinematic photo,"cinematic photo of {prompt}, 35mm","drawing, sketch"
Soft,"soft light",
Bare,<lora:style-a:1>,
Doubling,"{prompt} {prompt}",
"""
"""Begins with a byte order mark, as Excel writes it."""
RECORDED_HASHES = {
    "f61328e842": "Stable-diffusion/sdxl/RealitiesEdgeXL_4.safetensors",
    "7440042bbd": "Stable-diffusion/sd_xl_refiner_1.0.safetensors",
}
"""The hashes of real models that the cases name, and the keys of the tiny files that replace the models."""
RECORDED_SHORT_HASHES = {
    "d14c016b": "ControlNet/control_v11p_sd15_canny.safetensors",
    "ebff9138": "ControlNet/control_v11p_sd15_inpaint.safetensors",
    "cfd03158": "ControlNet/control_v11f1p_sd15_depth.safetensors",
    "6a3f6166": "ControlNet/ip-adapter_sd15.safetensors",
}
"""The same for ControlNet's models, which have hashes of 8 digits."""


@cache
def files() -> dict[str, bytes]:
    """Return every file of the bucket by its key."""
    with tempfile.TemporaryDirectory() as folder:
        scratch_file = Path(folder) / "model.safetensors"
        files_by_key = {
            f"Stable-diffusion/{name}": _read(write_checkpoint(scratch_file, name.encode()))
            for name in CHECKPOINT_NAMES
        }
        for name in LORA_NAMES:
            files_by_key[f"Lora/{name}.safetensors"] = _read(lora(scratch_file, content=name.encode()))
        for name in CONTROLNET_MODELS:
            # ControlNet's short hash is that of bytes behind the first mebibyte: the file must be longer.
            files_by_key[f"ControlNet/{name}.safetensors"] = _read(
                write_checkpoint(scratch_file, name.encode() * 100_000)
            )
        for key, content in OTHER_FILES.items():
            files_by_key[key] = (
                _read(write_checkpoint(scratch_file, content)) if key.endswith(".safetensors") else content
            )
    return files_by_key


def with_hashes(body: str) -> str:
    """Return a body that names the hashes of the tiny files instead of those of the real ones."""
    for recorded_hash, key in RECORDED_HASHES.items():
        body = body.replace(recorded_hash, hashlib.sha256(files()[key]).hexdigest()[:10])
    for recorded_hash, key in RECORDED_SHORT_HASHES.items():
        body = body.replace(recorded_hash, _short(key))
    return body


def fill(s3: Any, bucket: str) -> None:
    """Put every model into the bucket."""
    for key, content in {**files(), "styles.csv": STYLES, "wildcards/colour.txt": b"green"}.items():
        s3.put_object(Bucket=bucket, Key=key, Body=content)


def _short(key: str) -> str:
    with tempfile.NamedTemporaryFile() as file:
        file.write(files()[key])
        file.flush()
        return short_hash(Path(file.name))


def _read(path: Path) -> bytes:
    return path.read_bytes()
