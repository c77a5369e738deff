"""Measure the project's regular expressions on hostile texts of two lengths: `python -m bench.regexes`."""

import ast
import importlib
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

PACKAGES = ("domain", "runtimes", "adapters", "functions", "container", "infra", "tools")
METHODS = ("search", "match", "fullmatch", "sub", "split", "findall", "finditer")

TEXT_CHARACTERS = 16_000
GROWTH_FACTOR = 4
MAX_RATIO = 9.0
"""The time for a text GROWTH_FACTOR times as long is compared to the time for the text: the ratio is 4 if the
time is linear and 16 if it is quadratic."""

MIN_SECONDS = 0.004
"""Shorter times are not compared, because their ratio is noise."""

REPEATED_TEXTS = (
    *("a", "b", "0", "f", " ", "\n", "\x00", "_", "-", ".", "/", ":", "=", "'", '"', "\\", "é"),
    *("<", ">", "(", ")", "[", "]", "{", "|", "#", "%", "a ", "a:", "<a:", "0x", "__a", "-1.", " [", "Z#"),
)

BEGINNINGS = ("", "<a:", "a", "__")


@dataclass(frozen=True)
class Regex:
    """A regular expression of the project, and the methods that are called on it."""

    location: str
    """File and line."""
    pattern: re.Pattern[Any]
    methods: tuple[str, ...]


@dataclass(frozen=True)
class SlowText:
    """A text for which a regular expression takes more than linear time."""

    location: str
    method: str
    text: str
    ratio: float
    seconds: float


def find_regexes(root: Path = Path()) -> list[Regex]:
    """Return every regular expression in the project's source."""
    trees = {
        path: ast.parse(path.read_text())
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
        if "node_modules" not in path.parts
    }
    methods_by_name = _methods_by_name(trees.values())
    return [
        regex for path, tree in trees.items() for regex in _regexes_of_module(path, tree, methods_by_name)
    ]


def _regexes_of_module(path: Path, tree: ast.Module, methods_by_name: dict[str, set[str]]) -> Iterator[Regex]:
    names = {
        id(node.value): target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
            continue
        method = node.func.attr
        if method != "compile" and method not in METHODS:
            continue
        flags = node.args[1:] if method == "compile" else []
        try:
            scope = _evaluation_scope(path, [node.args[0], *flags])
            pattern = re.compile(*(eval(ast.unparse(part), scope) for part in [node.args[0], *flags]))  # noqa: S307 - our own source
        except NameError:
            continue  # built at run time from values that are escaped, so that they cannot make it slow
        methods = (
            tuple(sorted(methods_by_name.get(names.get(id(node), ""), set())))
            if method == "compile"
            else (method,)
        )
        yield Regex(f"{path}:{node.lineno}", pattern, methods or ("search",))


def _evaluation_scope(path: Path, parts: Iterable[ast.expr]) -> dict[str, Any]:
    if all(not isinstance(part, ast.Name | ast.JoinedStr) for tree in parts for part in ast.walk(tree)):
        return {"re": re}
    return vars(importlib.import_module(".".join(path.with_suffix("").parts)))


def _methods_by_name(trees: Iterable[ast.Module]) -> dict[str, set[str]]:
    """Return the methods of expressions that are called on each name."""
    methods: dict[str, set[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS and isinstance(node.value, ast.Name):
                methods.setdefault(node.value.id, set()).add(node.attr)
    return methods


def slow_texts(regex: Regex, characters: int = TEXT_CHARACTERS) -> Iterator[SlowText]:
    """Yield texts for which a regular expression takes more than linear time."""
    source = regex.pattern.pattern
    source = source if isinstance(source, str) else source.decode("latin-1")
    # Texts in the expression itself are the likeliest to match a part of it.
    literals = re.findall(r"[A-Za-z0-9<>'\"/_:;,. -]{2,}", source)[:6]
    repeated_texts = dict.fromkeys([*REPEATED_TEXTS, *literals])
    for method, beginning, repeated, end in product(
        regex.methods, dict.fromkeys([*BEGINNINGS, *literals[:2]]), repeated_texts, ("", "!")
    ):
        short, long = (
            beginning + repeated * (size // len(repeated)) + end
            for size in (characters, GROWTH_FACTOR * characters)
        )
        seconds = _processor_seconds(regex.pattern, method, long)
        if seconds < MIN_SECONDS:
            continue
        ratio = seconds / max(min(_processor_seconds(regex.pattern, method, short) for _ in range(3)), 1e-7)
        if ratio > MAX_RATIO:  # measured again, because another process may have run just then
            seconds = min(_processor_seconds(regex.pattern, method, long) for _ in range(3))
            ratio = seconds / max(
                min(_processor_seconds(regex.pattern, method, short) for _ in range(5)), 1e-7
            )
        if ratio > MAX_RATIO and seconds >= MIN_SECONDS:
            yield SlowText(
                regex.location, method, f"{beginning!r} + {repeated!r} * n + {end!r}", ratio, seconds
            )


def _processor_seconds(pattern: re.Pattern[Any], method: str, text: Any) -> float:
    empty: Any = ""
    if isinstance(pattern.pattern, bytes):
        text, empty = text.encode("latin-1"), b""
    started_at = time.process_time()
    match method:
        case "sub":
            pattern.sub(empty, text)
        case "finditer":
            for _ in pattern.finditer(text):
                pass
        case _:
            getattr(pattern, method)(text)
    return time.process_time() - started_at


def main() -> int:
    """Print the texts that are slow; return 1 if there are any."""
    regexes = find_regexes()
    slow = [text for regex in regexes for text in slow_texts(regex)]
    for each in slow:
        print(
            f"{each.location} {each.method}: {each.text}: "
            f"×{each.ratio:.0f} for ×{GROWTH_FACTOR}, {each.seconds:.3f} s"
        )
    print(f"{len(regexes)} regular expressions, {len(slow)} texts that take more than linear time")
    return bool(slow)


if __name__ == "__main__":
    sys.exit(main())
