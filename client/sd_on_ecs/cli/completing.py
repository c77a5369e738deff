"""Complete names in a shell, and print what a shell needs for that."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import httpx
import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from sd_on_ecs._sync.client import Client
from sd_on_ecs.errors import ClientError
from sd_on_ecs.retrying import Retries

NAME = "sd-on-ecs"


class Shell(StrEnum):
    """The shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def completion(shell: Annotated[Shell, typer.Argument(help="The shell to write it for.")]) -> None:
    """Write the script that completes commands, options and runtimes in a shell.

    For bash: `eval "$(sd-on-ecs completion bash)"`
    """
    typer.echo(get_completion_script(prog_name=NAME, complete_var="_SD_ON_ECS_COMPLETE", shell=shell.value))


def runtime_names(incomplete: str) -> Iterable[str]:
    """Return the runtimes whose names begin with what was typed; none if the deployment does not respond."""
    try:
        with Client.find(retries=Retries(count=0), timeout=httpx.Timeout(5.0)) as client:
            names = [runtime["name"] for runtime in client.runtimes()]
    except ClientError:
        return []
    return [name for name in names if name.startswith(incomplete)]
