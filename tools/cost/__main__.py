"""Write docs/cost.md, or print it for other settings: `make cost`, `python -m tools.cost MY.yaml`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from infra.settings.reading import InvalidConfigError, load
from tools.cdk import ROOT, StepFailed
from tools.cost.at_rest import UnknownResource
from tools.cost.page import cost_page
from tools.cost.synthesis import synthesize

CONFIG: Final = ROOT / "config.yaml"
PAGE: Final = ROOT / "docs" / "cost.md"


def page_for(config: Path) -> str:
    """Return the page for a settings file; raise StepFailed or UnknownResource."""
    settings, _ = load(config)
    gateway, instance = (synthesize(config, nat=nat) for nat in ("gateway", "instance"))
    return cost_page(settings, config.name, gateway=gateway, instance=instance)


def main(
    config: Annotated[Path | None, typer.Argument(help="Settings to print the page for.")] = None,
) -> None:
    """Write docs/cost.md for config.yaml; with a settings file, print its page instead."""
    try:
        text = page_for(config or CONFIG)
    except (StepFailed, InvalidConfigError, UnknownResource) as error:
        typer.echo(f"cost: {error}", err=True)
        raise typer.Exit(1) from None
    if config is None:
        PAGE.write_text(text, encoding="utf-8")
    else:
        typer.echo(text, nl=False)


if __name__ == "__main__":
    typer.run(main)
