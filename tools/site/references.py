"""References made from the code: the API, the metrics, the command line."""

import json
from typing import Any, Final

import typer
from typer.cli import get_docs_for_click

from domain.metrics import METRICS, namespace_of
from domain.routing import Runtimes
from functions.api.openapi import document
from infra.settings.reading import load
from local.deploy import CONFIG
from sd_on_ecs.cli.app import app

_PROGRAM: Final = "sd-on-ecs"


def openapi() -> str:
    """Return the OpenAPI document of a deployment of `local/config.yaml`."""
    settings, _ = load(CONFIG)
    runtimes = Runtimes([runtime.as_domain() for runtime in settings.models_runtime])
    described: dict[str, Any] = document("https://ID.execute-api.REGION.amazonaws.com/dev", runtimes)
    return json.dumps(described)


def metrics() -> str:
    """Return a page with a table of all metrics."""
    intro = (
        f"All metrics are in the CloudWatch namespace `{namespace_of('STACK')}`, where `STACK` is "
        "`stackName` of `config.yaml`. A metric with several sets of dimensions can be read by each of them. "
        "[Operations](../operations.md) explains the dashboard and the alarms made of them."
    )
    lines = [
        "# Metrics",
        "",
        intro,
        "",
        "| metric | unit | what it counts | dimensions |",
        "|---|---|---|---|",
    ]
    for metric in METRICS:
        sets = [" × ".join(f"`{name}`" for name in names) or "none" for names in metric.dimension_sets]
        row = f"| `{metric.name}` | {metric.unit} | {metric.description} | {'; '.join(sets)} |"
        lines.append(row)
    return "\n".join(lines) + "\n"


def command_line() -> str:
    """Return a page with all commands and options of the client's program."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name=_PROGRAM)
    return get_docs_for_click(obj=command, ctx=context, name=_PROGRAM, title="Command line")
