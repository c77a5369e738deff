"""Commands, imports and data in the documents exist as they are written there.

`tests/unit/docs/test_blocks.py` says which test runs them.
"""

import ast
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from dockerfile_parse import DockerfileParser

from infra.settings.reading import InvalidConfigError, parse
from tests.support.documents import DOCUMENTS, ROOT, SHELL, Block, blocks

CHECKED: Final = blocks(*SHELL, "python", "dockerfile")
STACKS: Final = ("Core", "Compute")
CDK: Final = {"bootstrap", "deploy", "destroy", "diff", "synth"}
DOCKER: Final = {"ARG", "COMMENT", "COPY", "FROM", "RUN", "USER"}
PATHS: Final = re.compile(
    r"(?<![\w/:.-])(?:\$PWD/)?((?:container|examples|local|tools|tests|client)/[\w./-]+)"
)
MADE_BY_THE_READER: Final = "container/comfyui-video"

IN_SENTENCES: Final = [
    command
    for path in DOCUMENTS
    for command in re.findall(
        r"`((?:\.venv/bin/)?(?:make|python -m|cdk) [^`\n]+)`", path.read_text(encoding="utf-8")
    )
]


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
                module, *rest = words[index + 1 :]
                assert importlib.util.find_spec(module) is not None, line
                flags = [flag.partition("=")[0] for flag in rest if flag.startswith("--")]
                assert [flag for flag in flags if flag not in _help(module)] == [], line
            if word == "cdk":
                _check_cdk(words[index + 1 :])
    paths = [path for path in PATHS.findall(block) if not path.startswith(MADE_BY_THE_READER)]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def _check_cdk(words: list[str]) -> None:
    """Check what follows `cdk`: an action, our stacks, and values of the context that the app reads."""
    action, *rest = words[: words.index("&&")] if "&&" in words else words
    assert action in CDK
    app = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "infra").rglob("*.py"))
    for word in rest:
        key, _, value = word.partition("=")
        is_known = f'"{key}"' in app if value else word in {*STACKS, "--all", "-c"}
        assert is_known, words


def _check_python(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []


@pytest.mark.long
@pytest.mark.parametrize("block", CHECKED, ids=lambda block: block.name)
def test_a_code_block_names_what_exists(block: Block, tmp_path: Path) -> None:
    if block.language in SHELL:
        subprocess.run(["bash", "-n", "-c", block.text], check=True)
        _check_shell(block.text)
    elif block.language == "dockerfile":
        (tmp_path / "Dockerfile").write_text(block.text)
        steps = DockerfileParser(str(tmp_path / "Dockerfile")).structure
        assert {step["instruction"] for step in steps} <= DOCKER
    else:
        _check_python(block.text)


@pytest.mark.long
@pytest.mark.parametrize("command", sorted({*IN_SENTENCES}))
def test_a_command_in_a_sentence_names_what_exists(command: str) -> None:
    _check_shell(command)


def test_the_error_in_the_document_of_the_settings_is_the_real_one() -> None:
    (shown,) = (block.text for block in blocks("text") if block.document == "docs/configuration.md")
    with pytest.raises(InvalidConfigError) as raised:
        parse("modelsRuntime: [{name: a, modelFilename: m, type: fooocus}]")
    assert str(raised.value).splitlines() == [shown.strip().removeprefix("config.yaml: ")]


def test_the_query_of_operations_names_fields_of_the_log() -> None:
    (query,) = (block.text for block in blocks("text") if block.document == "docs/operations.md")
    names = re.findall(r"(?<!@)\b[a-z_]+\b", query.partition("fields ")[2].partition("|")[0])
    packages = ("functions", "container/consumer")
    code = "".join(path.read_text() for name in packages for path in (ROOT / name).rglob("*.py"))
    written_by_powertools = {"service", "level", "message", "timestamp"}
    assert [name for name in {*names, "task_id"} - written_by_powertools if f'"{name}"' not in code] == []
