"""Wildcards are filled in by an extension, or the task fails."""

from typing import Any

import pytest

from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.wildcards import expected_wildcards, find_unfilled_wildcard
from domain.errors import ErrorCode, PermanentError


class Scripts:
    """An SD Web UI with these scripts."""

    def __init__(self, *titles: str) -> None:
        self._titles = titles

    def get(self, path: str) -> Any:
        assert path == "/sdapi/v1/scripts"
        return {"txt2img": [*self._titles], "img2img": []}


EXTENSION = Catalogue(Scripts("controlnet", "dynamic prompts v2.17.1"))
NONE = Catalogue(Scripts("controlnet"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"prompt": "a __colour__ cat"}, ("__colour__",)),
        ({"prompt": "__a/b-c__ __*__", "negative_prompt": "__x__"}, ("__a/b-c__", "__*__", "__x__")),
        ({"prompt": "__season(colour=red)__"}, ("__season(colour=red)__",)),
        ({"hr_prompt": "__colour__ __colour__"}, ("__colour__",)),
        ({"prompt": "a cat_with__two___three____four words _ __ ___"}, ()),
        ({"prompt": "<lora:my__old__style:1> a cat"}, ()),
        ({"prompt": "a cat"}, ()),
    ],
)
def test_wildcards_are_found_in_every_prompt_and_not_in_names_of_networks(
    content: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert expected_wildcards(content, EXTENSION, "txt2img") == expected


@pytest.mark.parametrize("args", [[False], ["False", 1], [{"enabled": False}]])
def test_a_task_that_switches_the_extension_off_means_plain_words(args: list[Any]) -> None:
    content = {"prompt": "__colour__", "alwayson_scripts": {"Dynamic Prompts v2.17.1": {"args": args}}}
    assert expected_wildcards(content, EXTENSION, "txt2img") == ()


def test_a_wildcard_without_an_extension_fails_the_task_before_it_runs() -> None:
    with pytest.raises(PermanentError, match="__colour__ is a wildcard, and this SD Web UI has no") as error:
        expected_wildcards({"prompt": "a __colour__ cat"}, NONE, "txt2img")
    assert error.value.code is ErrorCode.INVALID_CONTENT


@pytest.mark.parametrize(
    ("info", "text"),
    [
        ({"all_prompts": ["a red cat"], "all_negative_prompts": [""]}, None),
        ({}, None),
        ({"all_prompts": ["a red cat", "a __colour__ cat"]}, "wildcards/colour.txt"),
        ({"all_negative_prompts": ["__colour__"]}, "wildcards/colour.txt"),
    ],
)
def test_a_wildcard_that_is_left_is_reported_with_its_file(info: dict[str, Any], text: str | None) -> None:
    reported_file = find_unfilled_wildcard(["__colour__"], info)
    assert (reported_file is None) if text is None else (text in str(reported_file))
