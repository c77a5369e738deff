"""Styles are read from a file that SD Web UI's page has saved, and applied as SD Web UI applies them."""

from typing import Any

import pytest

from container.consumer.engines.sdwebui.styles import PromptTooLong, Style, apply_styles, read_styles
from domain.errors import PermanentError


@pytest.mark.parametrize(
    ("file", "styles"),
    [
        ("name,prompt,negative_prompt\na,b,c\n", [Style("a", "b", "c")]),
        ("\ufeffname,prompt\r\na,b\r\n", [Style("a", "b")]),
        ('name, prompt\na, "b, ""c"""\n', [Style("a", 'b, "c"')]),
        ("name,text\nold,b\n", [Style("old", "b")]),
        ("name,prompt\n# heading,b\n,c\n\n", []),
        ("", []),
    ],
)
def test_a_file_of_styles_is_read(file: str, styles: list[Style]) -> None:
    assert list(read_styles(file.encode())) == styles


@pytest.mark.parametrize("file", [b"\xff\xfe\x00", b"title,prompt\na,b\n", b"a,b\n1,2\n"])
def test_a_file_without_styles_is_an_error(file: bytes) -> None:
    with pytest.raises(PermanentError, match=r"styles\.csv of the model bucket is broken"):
        list(read_styles(file))


@pytest.mark.parametrize(
    ("content", "style", "applied"),
    [
        ({"prompt": "a"}, Style("s", "b", "c"), {"prompt": "a, b", "negative_prompt": "c"}),
        ({"prompt": " a "}, Style("s", "x {prompt} y"), {"prompt": "x  a  y", "negative_prompt": ""}),
        ({"prompt": ""}, Style("s", "{prompt}, b"), {"prompt": ", b", "negative_prompt": ""}),
        (
            {"prompt": "a", "enable_hr": True, "hr_prompt": "h", "hr_negative_prompt": ""},
            Style("s", "b", "c"),
            {"prompt": "a, b", "negative_prompt": "c", "hr_prompt": "h, b"},
        ),
        (
            {"prompt": "a", "hr_prompt": "h"},
            Style("s", "b"),
            {"prompt": "a, b", "negative_prompt": ""},
        ),
    ],
)
def test_a_style_is_added_to_a_prompt_or_put_around_it(
    content: dict[str, Any], style: Style, applied: dict[str, str]
) -> None:
    assert apply_styles([style], content, 100) == applied


def test_a_style_that_doubles_the_prompt_is_stopped_before_memory_runs_out() -> None:
    with pytest.raises(PromptTooLong):
        apply_styles([Style("s", "{prompt} {prompt}")] * 64, {"prompt": "a cat"}, 10_000)
