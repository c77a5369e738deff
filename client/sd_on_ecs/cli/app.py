"""The program `sd-on-ecs`: its commands, the options before them, and how it ends after an error."""

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from sd_on_ecs.cli import completing, deployment, generating, runtimes, tasks, workflows
from sd_on_ecs.cli.state import ExitCode, Program, exit_code
from sd_on_ecs.errors import ClientError
from sd_on_ecs.version import __version__

app = typer.Typer(
    name="sd-on-ecs",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MAKE: Final = "Make images"
TASKS: Final = "Tasks"
OTHER: Final = "Deployment"

app.command(rich_help_panel=MAKE)(generating.txt2img)
app.command(rich_help_panel=MAKE)(generating.img2img)
app.command(rich_help_panel=MAKE)(generating.upscale)
app.command(rich_help_panel=MAKE)(workflows.workflow)
app.command(rich_help_panel=MAKE)(workflows.submit)
app.command(rich_help_panel=TASKS)(tasks.status)
app.command("list", rich_help_panel=TASKS)(tasks.list_)
app.command(rich_help_panel=TASKS)(tasks.cancel)
app.command(rich_help_panel=TASKS)(tasks.download)
app.command(rich_help_panel=OTHER)(runtimes.runtimes)
app.command(rich_help_panel=OTHER)(deployment.login)
app.add_typer(deployment.models, name="models", rich_help_panel=OTHER)
app.command(rich_help_panel=OTHER)(completing.completion)


def _version(value: bool) -> None:  # noqa: FBT001 -- typer calls it
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    *,
    endpoint: Annotated[
        str | None, typer.Option(help="The API of a deployment. Default: SD_ON_ECS_ENDPOINT.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Its API key. Default: SD_ON_ECS_KEY.")] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="A deployment that `login` has stored; `local` is a running `make local`. "
            "Default: SD_ON_ECS_PROFILE.",
        ),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Make images with a deployment of sd-on-ecs.

    The deployment is that of the options or the environment, of a profile, or of a running `make local`.
    """
    context.obj = Program(endpoint=endpoint, key=key, profile=profile)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, and exit; after an error, write it and exit with the code of its kind."""
    try:
        app(arguments, prog_name=completing.NAME)
    except ClientError as error:
        sys.stderr.write(f"sd-on-ecs: {error}\n")
        sys.exit(exit_code(error))
    except Exception:  # noqa: BLE001 -- Python's exit code for it is 1, which says that a task failed
        traceback.print_exc()
        sys.exit(ExitCode.UNFORESEEN)
