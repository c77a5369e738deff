"""The Chinese documents have the structure, the code and the tables of the English ones."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TRANSLATIONS = {
    "README.md": "README.zh-CN.md",
    "docs/api.md": "docs/zh/api.md",
    "docs/tutorial.md": "docs/zh/tutorial.md",
    "docs/deploy.md": "docs/zh/deploy.md",
}
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _without_code(text: str) -> str:
    return CODE.sub("", text)


@pytest.mark.parametrize(("english", "chinese"), TRANSLATIONS.items())
def test_a_translation_has_the_same_structure_and_code(english: str, chinese: str) -> None:
    original, translated = _read(english), _read(chinese)
    assert CODE.findall(translated) == CODE.findall(original)
    for marks in (r"^#+ ", r"^\|", r"^- ", r"^\d+\. "):
        pattern = re.compile(marks, re.MULTILINE)
        found = pattern.findall(_without_code(translated))
        assert found == pattern.findall(_without_code(original)), marks


@pytest.mark.parametrize(("english", "chinese"), TRANSLATIONS.items())
def test_a_translation_names_what_the_original_names(english: str, chinese: str) -> None:
    """Such as fields, settings and commands, so that a change of one is noticed in the other."""
    names = re.compile(r"`[^`\n]+`")
    original, translated = (
        sorted(set(names.findall(_without_code(_read(name))))) for name in (english, chinese)
    )
    assert translated == original


@pytest.mark.parametrize("chinese", TRANSLATIONS.values())
def test_a_translation_is_chinese(chinese: str) -> None:
    text = _without_code(_read(chinese))
    assert len(re.findall(r"[\u4e00-\u9fff]", text)) > len(text) / 10
