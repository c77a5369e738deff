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
LINK = re.compile(r"\]\(([^)\s#]+)")
HAN = r"[\u4e00-\u9fff]"
TYPOGRAPHY = (
    rf"{HAN}[,;:?!()]|[,;:?!()]{HAN}",  # ASCII punctuation in Chinese text
    rf"{HAN}[A-Za-z0-9`]|[A-Za-z0-9`%]{HAN}",  # no space between Chinese and Latin
    rf"{HAN} +{HAN}|[，。；：、（）] +[^\s|]|[^\s|] +[，。；：、（）]",  # a space that does not belong there
    rf"[，。；：、]\n(?=[^\s|#\d-])|{HAN}\n(?=[^\s|#\d-])",  # a line break in a paragraph is shown as a space
)

# Words that a translation must not use, so that each thing has one name; and the name to use.
OTHER_NAMES = {
    "检查点": "基础模型 (checkpoint, the word of SD Web UI's users)",
    "底模": "基础模型",
    "预签名链接": "预签名 URL",
    "API 地址": "API 端点",
    "调用者": "调用方",
    "清扫": "巡检函数 (sweep)",
    "扩缩容": "自动扩缩",
    "仪表板": "控制面板 (dashboard, as CloudWatch calls it)",
    "吵闹": "嘈杂邻居 (noisy neighbor, as SQS calls it)",
    "图像(?<!参考图像)": "图片; only a reference image is 参考图像",
    "节点类(?!型)": "节点类型",
    "声音": "音频",
    "死亡|杀死": "崩溃, 终止 (of a process)",
}


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


@pytest.mark.parametrize(("english", "chinese"), TRANSLATIONS.items())
def test_a_translation_has_the_figures_of_the_original(english: str, chinese: str) -> None:
    figures = re.compile(r"\d[\d,.]*\d|\d")
    original, translated = (
        sorted(figures.findall(_without_code(_read(name)))) for name in (english, chinese)
    )
    assert translated == original


@pytest.mark.parametrize("chinese", TRANSLATIONS.values())
def test_a_translation_is_chinese(chinese: str) -> None:
    text = _without_code(_read(chinese))
    assert len(re.findall(HAN, text)) > len(text) / 10


@pytest.mark.parametrize(("english", "chinese"), TRANSLATIONS.items())
def test_a_translation_links_to_what_the_original_links_to_in_chinese_where_it_exists(
    english: str, chinese: str
) -> None:
    def targets(name: str) -> set[str]:
        folder = (ROOT / name).parent
        links = (link for link in LINK.findall(_without_code(_read(name))) if "://" not in link)
        return {(folder / link).resolve().relative_to(ROOT).as_posix() for link in links}

    switch = {"README.md", "README.zh-CN.md"}  # the link at the top from one language to the other
    expected = {TRANSLATIONS.get(target, target) for target in targets(english) - switch}
    assert targets(chinese) - switch == expected


@pytest.mark.parametrize("chinese", TRANSLATIONS.values())
def test_a_translation_calls_each_thing_by_its_one_name(chinese: str) -> None:
    text = _without_code(_read(chinese))
    found = {name: use for name, use in OTHER_NAMES.items() if re.search(name, text)}
    assert not found


@pytest.mark.parametrize("chinese", TRANSLATIONS.values())
def test_a_translation_has_full_width_punctuation_and_spaces_around_latin_words(chinese: str) -> None:
    text = _without_code(_read(chinese))
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)  # a link reads like its text
    text = text.replace("*", "")
    faults = [fault for pattern in TYPOGRAPHY for fault in re.findall(pattern, text)]
    assert not faults
