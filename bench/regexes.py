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

LENGTH = 16_000
GROWTH = 4
MAX_RATIO = 9.0
"""Of the time for a text GROWTH times as long to the time for the text: 4 if linear, 16 if quadratic."""

MIN_SECONDS = 0.004
"""Shorter times are not compared, because their ratio is noise."""

PUMPS = (
    *("a", "b", "0", "f", " ", "\n", "\x00", "_", "-", ".", "/", ":", "=", "'", '"', "\\", "é"),
    *("<", ">", "(", ")", "[", "]", "{", "|", "#", "%", "a ", "a:", "<a:", "0x", "__a", "-1.", " [", "Z#"),
)


HEADS = ("", "<a:", "a", "__")


@dataclass(frozen=True)
class Found:
    """A regular expression: its place in the source, and the methods that are called on it."""

    where: str
    pattern: re.Pattern[Any]
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Slow:
    """A text for which a regular expression takes more than linear time."""

    where: str
    method: str
    text: str
    ratio: float
    seconds: float


def regexes(root: Path = Path()) -> list[Found]:
    """Return every regular expression in the project's source."""
    trees = {
        path: ast.parse(path.read_text())
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
        if "node_modules" not in path.parts
    }
    used = _uses(trees.values())
    return [one for path, tree in trees.items() for one in _of_module(path, tree, used)]


def _of_module(path: Path, tree: ast.Module, used: dict[str, set[str]]) -> Iterator[Found]:
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
            scope = _scope(path, [node.args[0], *flags])
            pattern = re.compile(*(eval(ast.unparse(part), scope) for part in [node.args[0], *flags]))  # noqa: S307 - our own source
        except NameError:
            continue  # built at run time from values that are escaped
        methods = (
            tuple(sorted(used.get(names.get(id(node), ""), set()))) if method == "compile" else (method,)
        )
        yield Found(f"{path}:{node.lineno}", pattern, methods or ("search",))


def _scope(path: Path, parts: Iterable[ast.expr]) -> dict[str, Any]:
    if all(not isinstance(part, ast.Name | ast.JoinedStr) for tree in parts for part in ast.walk(tree)):
        return {"re": re}
    return vars(importlib.import_module(".".join(path.with_suffix("").parts)))


def _uses(trees: Iterable[ast.Module]) -> dict[str, set[str]]:
    """Return the methods that are called on each name."""
    used: dict[str, set[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS and isinstance(node.value, ast.Name):
                used.setdefault(node.value.id, set()).add(node.attr)
    return used


def slow_texts(found: Found, length: int = LENGTH) -> Iterator[Slow]:
    """Yield texts for which a regular expression takes more than linear time."""
    source = found.pattern.pattern
    source = source if isinstance(source, str) else source.decode("latin-1")
    parts = re.findall(r"[A-Za-z0-9<>'\"/_:;,. -]{2,}", source)[:6]
    pumps = dict.fromkeys([*PUMPS, *parts])
    for method, head, pump, tail in product(
        found.methods, dict.fromkeys([*HEADS, *parts[:2]]), pumps, ("", "!")
    ):
        short, long = (head + pump * (size // len(pump)) + tail for size in (length, GROWTH * length))
        seconds = _seconds(found.pattern, method, long)
        if seconds < MIN_SECONDS:
            continue
        ratio = seconds / max(min(_seconds(found.pattern, method, short) for _ in range(3)), 1e-7)
        if ratio > MAX_RATIO:  # measured again, because another process may have run just then
            seconds = min(_seconds(found.pattern, method, long) for _ in range(3))
            ratio = seconds / max(min(_seconds(found.pattern, method, short) for _ in range(5)), 1e-7)
        if ratio > MAX_RATIO and seconds >= MIN_SECONDS:
            yield Slow(found.where, method, f"{head!r} + {pump!r} * n + {tail!r}", ratio, seconds)


def _seconds(pattern: re.Pattern[Any], method: str, text: Any) -> float:
    empty: Any = ""
    if isinstance(pattern.pattern, bytes):
        text, empty = text.encode("latin-1"), b""
    begun = time.process_time()
    match method:
        case "sub":
            pattern.sub(empty, text)
        case "finditer":
            for _ in pattern.finditer(text):
                pass
        case _:
            getattr(pattern, method)(text)
    return time.process_time() - begun


def main() -> int:
    """Print the texts that are slow; return 1 if there are any."""
    everything = regexes()
    slow = [text for found in everything for text in slow_texts(found)]
    for one in slow:
        print(f"{one.where} {one.method}: {one.text}: ×{one.ratio:.0f} for ×{GROWTH}, {one.seconds:.3f} s")
    print(f"{len(everything)} regular expressions, {len(slow)} texts that take more than linear time")
    return bool(slow)


if __name__ == "__main__":
    sys.exit(main())
