"""Commands, imports and data in the documents exist as they are written there.

Requests and the client's programs are run by `tests/e2e/test_documents.py` and `tests/e2e/client`.
"""

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DOCUMENTS = [
    path
    for pattern in ("*.md", "docs/**/*.md", "client/*.md", "examples/*.md", "container/**/*.md")
    for path in sorted(ROOT.glob(pattern))
    if "node_modules" not in path.parts
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = [
    pytest.param(language, block, id=f"{path.relative_to(ROOT)} {number}")
    for path in DOCUMENTS
    for number, (language, block) in enumerate(BLOCK.findall(path.read_text(encoding="utf-8")), 1)
]
SHELL = {"", "sh", "shell"}
CODE = {"python", "yaml", *SHELL}


@cache
def _help(module: str) -> str:
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    command = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _check_shell(block: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True) if line.count("'") % 2 == 0 else []
        for index, word in enumerate(words):
            if word == "make" and index + 1 < len(words):
                assert words[index + 1] in targets, line
            if word == "-m" and words[index - 1].endswith("python") and words[index + 1] != "pytest":
                shown = _help(words[index + 1])
                flags = [flag.partition("=")[0] for flag in words[index + 2 :] if flag.startswith("--")]
                assert [flag for flag in flags if flag not in shown] == [], line


@pytest.mark.long
@pytest.mark.parametrize(("language", "block"), [each for each in BLOCKS if each.values[0] in CODE])
def test_a_code_block_names_what_exists(language: str, block: str) -> None:
    if language in SHELL:
        subprocess.run(["bash", "-n", "-c", block], check=True)
        _check_shell(block)
    elif language == "yaml":
        assert yaml.safe_load(block)
    else:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert [name.name for name in node.names if not hasattr(module, name.name)] == []
