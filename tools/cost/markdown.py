"""Write parts of docs/cost.md: tables and amounts."""

from collections.abc import Iterable, Sequence
from typing import Final

_TEXT_COLUMNS: Final = ("assumption", "compared with", "as of")
"""Headings of columns that hold words."""


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first and those of words are right-aligned."""
    alignments = ("" if name in _TEXT_COLUMNS else ":" for name in header[1:])
    lines = [header, ["---", *(f"---{alignment}" for alignment in alignments)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def money(dollars: float, digits: int = 2) -> str:
    """Return an amount in dollars; `-` for none."""
    return f"${dollars:,.{digits}f}" if dollars else "-"
