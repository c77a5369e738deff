"""The tags of a prompt are read as SD Web UI reads them, in linear time."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.consumer.engines.sdwebui.models.required import required_models
from domain.errors import ErrorCode, PermanentError
from runtimes.sdwebui.named_models import MAX_MODELS
from runtimes.sdwebui.prompt_networks import network_tags


def as_web_ui_reads(text: str) -> list[tuple[str, str]]:
    """Return kind and name of each tag by SD Web UI's rule: one pattern, split at its colons."""
    networks = []
    for kind, inner in re.findall(r"<(\w+):([^>]+)>", text):
        positional = [part for part in inner.split(":") if len(part.split("=", 2)) != 2]
        if positional:
            networks.append((kind, positional[0]))
    return networks


@given(st.text(alphabet="<>:=ab lora", max_size=60))
def test_finds_the_tags_that_web_ui_finds(text: str) -> None:
    tags = list(network_tags(text))
    assert [(tag.kind, tag.name) for tag in tags] == as_web_ui_reads(text)
    assert [text[tag.start : tag.end] for tag in tags] == [tag.name for tag in tags]


@pytest.mark.parametrize("unit", ["b", "<a:", "<a", "a:", "<a:b", "<lora:>", "<a:b:"])
def test_hostile_text_is_read_in_linear_time(unit: str) -> None:
    def seconds(length: int) -> float:
        text = "<a:" + unit * (length // len(unit))
        begun = time.process_time()
        required_models({"prompt": text, "alwayson_scripts": {"x": {"args": [text]}}})
        return time.process_time() - begun

    short = max(min(seconds(20_000) for _ in range(3)), 0.001)
    assert min(seconds(400_000) for _ in range(3)) < short * 20 * 5


def test_the_number_of_models_of_a_task_is_limited() -> None:
    most = "".join(f"<lora:{number}:1>" for number in range(MAX_MODELS))
    assert len(required_models({"prompt": most})) == MAX_MODELS
    for name in ("one-more", "{a|b}"):
        with pytest.raises(PermanentError, match="at most 100 models") as caught:
            required_models({"prompt": f"{most}<lora:{name}:1>"})
        assert caught.value.code is ErrorCode.INVALID_CONTENT
    assert len(required_models({"prompt": most * 2})) == MAX_MODELS
