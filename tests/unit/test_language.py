"""Words that only this project used stay out of its code and documents: docs/glossary.md has the others."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = [
    "domain",
    "adapters",
    "functions",
    "runtimes",
    "infra",
    "container",
    "local",
    "client",
    "tools",
    "bench",
    "docs",
    "examples",
    "tests",
]
SUFFIXES: Final = {".py", ".md", ".yaml", ".json", ".sh", ""}

INSTEAD: Final = {
    "told|untold": "notified, reported",
    "owe[ds]?": "pending",
    "let(s|ting)? go": "release, lease lost",
    "g(ive|ives|iving|iven|ave) back": "release",
    "bur(y|ied|ies)": "dead-letter",
    "litter|leavings": "orphaned objects",
    "(?<!frame.)ancestors?": "AWS's Guidance (sd-on-eks)",
    "stand-ins?": "fake",
    "strangers?": "a caller, untrusted",
    "in silence": "silently",
    "go(es)? around": "bypass",
    "heal(s|ed|ing)?": "recover",
    "last words": "the last lines of its log",
    "known id|check id|valid id": "a name that says what is checked and what is returned",
    "with plain path": "a verb with its object, such as remove_query",
    "lease remains": "remaining_lease_seconds",
    "release:(un)?count(ed)?": "a member of an enum",
}
"""What this project's own word was, and what to write."""

# An underscore separates words too, so that names are found.
FOUND: Final = re.compile(
    "(?<![a-z])({})(?![a-z])".format("|".join(INSTEAD).replace(" ", "[ _]")), re.IGNORECASE
)


def texts() -> list[Path]:
    """Return the files that people write, without recorded ones and this one, which lists the words."""
    below = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    own = [path for path in below if path.suffix in SUFFIXES and path.is_file()]
    top = [
        path for path in ROOT.iterdir() if path.suffix in {".py", ".md", ".yaml"} or path.name == "Makefile"
    ]
    return sorted(
        path
        for path in [*own, *top]
        if "__pycache__" not in path.parts and "recordings" not in path.parts and path != Path(__file__)
    )


def test_code_and_documents_use_common_words() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word[0]}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (word := FOUND.search(line))
    ]
    assert found == []


def test_names_and_sentences_are_found() -> None:
    for text in (
        "exit_when_told",
        "its caller was told",
        "the worker lets go",
        "given_back",
        "goes around",
        "heals",
    ):
        assert FOUND.search(text), text
    for text in ("an outage", "health", "downloaded", "letter", "return the value", "around", "background"):
        assert FOUND.search(text) is None, text
