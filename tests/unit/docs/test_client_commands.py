"""The commands of the client in the documents exist, with these arguments and options."""

import re
import shlex
from typing import Final

import pytest
import typer
from typer.core import TyperGroup

from sd_on_ecs.cli.app import app
from tests.support.documents import SHELL, Block, blocks

COMMAND: Final = re.compile(r"(?:^|[($] ?)(?:\.venv/bin/)?sd-on-ecs (.+?)(?= #|[|)]|$)", re.MULTILINE)
BLOCKS: Final = [block for block in blocks(*SHELL) if COMMAND.search(block.text)]


def _parse(words: list[str]) -> None:
    """Read a command as the program does, without running it; raise the error that it would show."""
    command = typer.main.get_command(app)
    context = command.make_context("sd-on-ecs", words)
    while isinstance(command, TyperGroup):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None, words
        command = found
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_a_command_in_a_document_can_be_read(block: Block) -> None:
    for line in COMMAND.findall(block.text.replace("\\\n", " ")):
        _parse(shlex.split(line))


def test_a_wrong_option_is_noticed() -> None:
    with pytest.raises(Exception, match="--knd"):
        _parse(["models", "upload", "a.safetensors", "--knd", "lora"])


def test_the_documents_of_models_and_workflows_are_among_them() -> None:
    assert {"docs/models.md", "docs/comfyui.md"} <= {block.document for block in BLOCKS}
