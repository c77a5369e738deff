"""Time the product's regular expressions on hostile texts of growing length: `python -m bench.regexes`."""

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

ROOMS = ("domain", "runtimes", "adapters", "functions", "container", "infra", "tools")
METHODS = ("search", "match", "fullmatch", "sub", "split", "findall", "finditer")

LENGTH = 16_000
GROWTH = 4
MOST_RATIO = 9.0
"""Time at GROWTH times the length over time at the length: 4 where linear, 16 where quadratic."""

WORTH_SECONDS = 0.004
"""What the longer text must take before its ratio says anything."""

PUMPS = (
    *("a", "b", "0", "f", " ", "\n", "\x00", "_", "-", ".", "/", ":", "=", "'", '"', "\\", "é"),
    *("<", ">", "(", ")", "[", "]", "{", "|", "#", "%", "a ", "a:", "<a:", "0x", "__a", "-1.", " [", "Z#"),
)


HEADS = ("", "<a:", "a", "__")


@dataclass(frozen=True)
class Found:
    """Hold one regular expression: where it stands, and how it is used."""

    where: str
    pattern: re.Pattern[Any]
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Slow:
    """Hold a text on which a regular expression takes more than linear time."""

    where: str
    method: str
    text: str
    ratio: float
    seconds: float


def regexes(root: Path = Path()) -> list[Found]:
    """Return every regular expression of the product, as its source has it."""
    trees = {
        path: ast.parse(path.read_text())
        for room in ROOMS
        for path in sorted((root / room).rglob("*.py"))
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
            continue  # made of a value that is known at run time only; its parts are escaped
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
    """Yield the texts on which a regular expression takes more than linear time."""
    source = found.pattern.pattern
    source = source if isinstance(source, str) else source.decode("latin-1")
    parts = re.findall(r"[A-Za-z0-9<>'\"/_:;,. -]{2,}", source)[:6]
    pumps = dict.fromkeys([*PUMPS, *parts])
    for method, head, pump, tail in product(
        found.methods, dict.fromkeys([*HEADS, *parts[:2]]), pumps, ("", "!")
    ):
        short, long = (head + pump * (size // len(pump)) + tail for size in (length, GROWTH * length))
        seconds = _seconds(found.pattern, method, long)
        if seconds < WORTH_SECONDS:
            continue
        ratio = seconds / max(min(_seconds(found.pattern, method, short) for _ in range(3)), 1e-7)
        if ratio > MOST_RATIO:  # measured again: something else may have run just then
            seconds = min(_seconds(found.pattern, method, long) for _ in range(3))
            ratio = seconds / max(min(_seconds(found.pattern, method, short) for _ in range(5)), 1e-7)
        if ratio > MOST_RATIO and seconds >= WORTH_SECONDS:
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
    """Print what is slow; return 1 where anything is."""
    everything = regexes()
    slow = [text for found in everything for text in slow_texts(found)]
    for one in slow:
        print(f"{one.where} {one.method}: {one.text}: ×{one.ratio:.0f} for ×{GROWTH}, {one.seconds:.3f} s")
    print(f"{len(everything)} regular expressions, {len(slow)} texts on which one is more than linear")
    return bool(slow)


if __name__ == "__main__":
    sys.exit(main())
