"""A folder of models of every kind, for the fake."""

from pathlib import Path

import pytest

from local.fakes.model_file import write_checkpoint
from tests.contract.serving import lora


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path / "Stable-diffusion/base.safetensors")
    write_checkpoint(tmp_path / "Stable-diffusion/second.safetensors", b"second")
    lora(tmp_path / "Lora/style.safetensors", alias="styleAlias")
    write_checkpoint(tmp_path / "VAE/known.safetensors", b"vae")
    write_checkpoint(tmp_path / "ControlNet/canny.safetensors", b"canny")
    return tmp_path
