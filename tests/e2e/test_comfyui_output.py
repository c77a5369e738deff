"""Files of a workflow are stored in the format that its task asks for."""

from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from local.emulator import Emulator
from tests.support.comfyui import node, text_to_image
from tests.support.comfyui_setup import ComfyUiSetup
from tests.support.deployment import DYNAMIC


@pytest.mark.long
def test_files_of_comfyui_are_converted_and_animations_are_not(aws: Emulator, tmp_path: Path) -> None:
    flow = text_to_image()
    flow["5"]["inputs"]["batch_size"] = 2
    options = {"fps": 6, "lossless": True, "quality": 80, "method": "default"}
    flow["10"] = node("SaveAnimatedWEBP", images=["8", 0], filename_prefix="moving", **options)
    metadata: dict[str, Any] = {"id": "t", "runtime": DYNAMIC, "tasktype": "pipeline", "prefix": "output"}
    metadata["output"] = {"format": "jpeg"}
    with ExitStack() as stack:
        setup = ComfyUiSetup(aws, tmp_path, stack)
        setup.start_consumer()
        body = {"task": {"metadata": metadata, "content": {"prompt": flow}}}
        assert setup.api("POST", "/v1alpha2", body).status == 200
        row = setup.until("t")
        document = setup.document(row)
        images = [Image.open(BytesIO(setup.read(link))) for link in row.images]
    assert [image.format for image in images] == ["JPEG", "JPEG", "WEBP"]
    assert ["original" in receipt for receipt in document["images"]] == [True, True, False]
    (warning,) = document["warnings"]
    assert warning["path"] == "/metadata/output"
    assert "animations" in warning["message"]
