"""Prompt templates as the extension Dynamic Prompts fills them in: `{a|b}`, and `__name__` from a file."""

import random
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CHOICE = re.compile(r"\{([^{}]*)\}")
WILDCARD = re.compile(r"__([\w./-]+?)__")


def has_template_extension(titles: Iterable[str], scripts: Mapping[str, Any]) -> bool:
    """Return whether the extension is installed and not switched off by its first argument."""
    if not any(_is_extension(title) for title in titles):
        return False
    entries = [entry for title, entry in scripts.items() if _is_extension(title)]
    all_args = [entry.get("args") for entry in entries if isinstance(entry, dict)]
    return all(args[0] is not False for args in all_args if args)


def _is_extension(title: str) -> bool:
    return title.lower().startswith("dynamic prompts")


def fill_in(text: str, folder: Any, seed: int) -> str:
    """Return a prompt with a choice for each template; a wildcard without a file stays as it is."""
    generator = random.Random(seed)

    def choose_line(match: re.Match[str]) -> str:
        file = Path(folder) / f"{match[1]}.txt" if isinstance(folder, str) and folder else None
        if file is None or not file.is_file():
            return match[0]
        return generator.choice(file.read_text(encoding="utf-8").split())

    return WILDCARD.sub(choose_line, CHOICE.sub(lambda match: generator.choice(match[1].split("|")), text))
