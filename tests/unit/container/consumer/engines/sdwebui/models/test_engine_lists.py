"""SD Web UI's lists are requested once for a task, however many models it names."""

from typing import Any

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists
from container.consumer.engines.sdwebui.models.resolver import ModelResolver
from runtimes.sdwebui.named_models import MAX_MODELS


class CountingWebUi:
    """A Web UI that lists one LoRA and counts its requests."""

    def __init__(self) -> None:
        self.requested_paths: list[str] = []

    def get(self, path: str) -> Any:
        """Count the request, and respond with one LoRA."""
        self.requested_paths.append(path)
        return [{"name": "style", "alias": "style", "path": "/models/Lora/style.safetensors"}]

    def post(self, path: str, body: Any, *, seconds: float = 0) -> Any:
        """Fail, because a lookup must not change anything."""
        raise AssertionError(path)


def test_each_list_is_requested_once_per_task() -> None:
    webui = CountingWebUi()
    resolver = ModelResolver(None, None, EngineModelLists(webui))
    prompt = "<lora:style:1>" + "".join(f"<lora:{{a|{number}}}:1>" for number in range((MAX_MODELS - 2) // 2))
    for _ in range(2):
        assert [model.name for model in resolver.find({"prompt": prompt})] == ["style"]
    assert webui.requested_paths == ["/sdapi/v1/loras"] * 2
