"""The documents and their blocks of code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PATTERNS: Final = ("*.md", "docs/**/*.md", "client/*.md", "examples/*.md", "container/**/*.md")
DOCUMENTS: Final = [
    path for pattern in PATTERNS for path in sorted(ROOT.glob(pattern)) if "node_modules" not in path.parts
]
TRANSLATIONS: Final = ("README.zh-CN.md", "docs/zh/")
"""How the names of translations begin; `test_translations.py` holds their code equal to the originals'."""

SHELL: Final = frozenset({"", "sh", "shell"})
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code: its document, its number there, its language and its text."""

    document: str
    number: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Return what a test shows."""
        return f"{self.document} {self.number}"


def _read() -> Iterator[Block]:
    for path in DOCUMENTS:
        found = _BLOCK.findall(path.read_text(encoding="utf-8"))
        for number, (language, text) in enumerate(found, 1):
            yield Block(str(path.relative_to(ROOT)), number, language, text)


BLOCKS: Final = list(_read())


def blocks(*languages: str) -> list[Block]:
    """Return the blocks in these languages, in the order of the documents."""
    return [block for block in BLOCKS if block.language in languages]


def shell_blocks(document: str) -> list[Block]:
    """Return the blocks of a document that are for a shell."""
    return [block for block in blocks(*SHELL) if block.document == document]
