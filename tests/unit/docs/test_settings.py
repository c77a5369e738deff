"""Settings in the documents are read as they are written."""

from typing import Any

import pytest
import yaml

from infra.settings.deployment import Settings
from infra.settings.reading import parse
from tests.support.documents import Block, blocks

KEYS = set(Settings.model_json_schema(by_alias=True)["properties"])
FILLED_IN = {"sha256:…": f"sha256:{'0' * 64}", "catalogue: video.json": "catalogue: comfyui.json"}
"""What readers have only after they have built an image and made its catalogue."""

RUNTIME = {"name": "r", "type": "sdwebui", "modelFilename": "m.safetensors"}


def whole(settings: Any) -> dict[str, Any]:
    """Return a whole file: a part of one is a list of runtimes, keys of one, or keys of the deployment."""
    if isinstance(settings, list):
        return {"modelsRuntime": settings}
    if settings.keys() <= KEYS:
        return {"modelsRuntime": [RUNTIME], **settings}
    return {"modelsRuntime": [{**RUNTIME, **settings}]}


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.name)
def test_settings_in_a_document_are_accepted(block: Block) -> None:
    text = block.text
    for written, meant in FILLED_IN.items():
        text = text.replace(written, meant)
    _, notices = parse(yaml.safe_dump(whole(yaml.safe_load(text))))
    assert notices == []
