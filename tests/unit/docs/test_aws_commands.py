"""AWS commands in sentences of the documents and in what tools print exist, with their options.

Those in blocks are run by `tests/e2e/test_aws_commands.py`.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.aws_command import UsageError, parse
from tests.support.documents import DOCUMENTS, ROOT, SHELL, blocks

RUN_BY_A_TEST: Final = {"docs/operations.md", "docs/deploy.md", "docs/api.md"}
TRANSLATED: Final = {"docs/zh/deploy.md", "docs/zh/api.md"}
"""Their code is that of the originals, as `test_translations.py` says."""

COMMAND: Final = re.compile(r"\baws ([a-z0-9-]+ [a-z][a-z0-9-]+(?=[ `\n])[^`\n]*)")
NAMES_ONLY: Final = {
    "ecs describe-services": "where to look, for whoever knows the service",
    "ecs describe-tasks": "where a figure comes from",
    "ecs describe-task-definition": "where a figure comes from",
    "ecs list-services": "the way to a name that the next command needs",
    "sqs receive-message": "which option to add, with no queue",
    "s3 cp": "the command that another program prints",
}
"""Commands without what AWS requires, because the sentence is about the command, and why."""


def _mentions() -> Iterator[tuple[str, str]]:
    """Yield the commands in sentences, and the document of each."""
    for path in DOCUMENTS:
        sentences = re.sub(
            r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
        )
        for code in re.findall(r"`([^`\n]+)`", sentences):
            for command in COMMAND.findall(f"{code}\n"):
                yield str(path.relative_to(ROOT)), command


def _printed() -> Iterator[tuple[str, str]]:
    """Yield the commands that tools tell their users to run, with 1 for what is filled in."""
    for path in sorted((ROOT / "tools").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "1" for part in node.values]
                for command in COMMAND.findall("".join(parts) + "\n"):
                    yield str(path.relative_to(ROOT)), command


def faults(command: str) -> str:
    """Return what is wrong with a command, the words after `aws`."""
    try:
        return parse(shlex.split(command, comments=True)).faults
    except UsageError as error:
        return str(error)


@pytest.mark.parametrize(("document", "command"), list(_mentions()))
def test_a_command_in_a_sentence_exists(document: str, command: str) -> None:
    name = " ".join(command.split()[:2])
    found = faults(command)
    if name in NAMES_ONLY:
        found = re.sub(r'Missing required parameter in input: "\w+"\n?', "", found)
    assert found == "", document


@pytest.mark.parametrize(("tool", "command"), list(_printed()))
def test_a_command_that_a_tool_prints_exists(tool: str, command: str) -> None:
    assert faults(command) == "", tool


def test_every_name_without_parameters_is_still_mentioned() -> None:
    assert NAMES_ONLY.keys() <= {" ".join(command.split()[:2]) for _, command in _mentions()}


def test_every_tool_that_prints_commands_is_found() -> None:
    tools = {path for path, _ in _printed()}
    assert {"tools/preflight/quotas.py", "tools/preflight/artifacts.py", "tools/undeploy.py"} <= tools


def test_every_command_in_a_block_is_run() -> None:
    documents = {block.document for block in blocks(*SHELL) if re.search(r"\baws [a-z]", block.text)}
    assert documents == RUN_BY_A_TEST | TRANSLATED


@pytest.mark.parametrize(
    "command",
    [
        "sqss list-queues",
        "sqs list-queue",
        "sqs list-queues --prefix a",
        "sqs get-queue-attributes --attribute-names All",
        "sqs get-queue-attributes --queue-url u v --attribute-names All",
        "ecs list-tasks --cluster c --query 'taskArns['",
        "ecs update-service --service s --desired-count many",
        "apigateway get-api-key --api-key k --include-value yes",
        "apigateway update-api-key --api-key k --patch-operations operation=replace",
        "apigateway update-api-key --api-key k --patch-operations replace",
        "ecs list-tasks --desired-status",
        "sns subscribe --topic-arn t --protocol email --endpoint you@example.com",
        "s3 cp a s3://b --recursively",
    ],
)
def test_a_command_with_a_mistake_is_found(command: str) -> None:
    assert faults(command) != ""
