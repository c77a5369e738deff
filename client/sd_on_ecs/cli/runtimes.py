"""The command that lists runtimes, and what the tasks of one may name."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from sd_on_ecs.api_types import RuntimeDetails
from sd_on_ecs.cli import options
from sd_on_ecs.cli.completing import runtime_names
from sd_on_ecs.cli.state import Program, program, write_json
from sd_on_ecs.errors import InputError


def runtimes(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(help="Show this one, with its models.", autocompletion=runtime_names),
    ] = None,
    *,
    kind: Annotated[str | None, typer.Option(help="Only models of this kind, such as lora.")] = None,
    query: Annotated[
        str | None, typer.Option("--query", "-q", help="Only models with this in their names.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List the runtimes with the lengths of their queues, or what the tasks of one may name."""
    own = program(context)
    if name is None and (kind or query):
        raise InputError("--kind and --query need the name of a runtime")
    with own.client() as client:
        found: Any = client.runtimes() if name is None else client.runtime(name, kind=kind, q=query)
    if as_json:
        write_json(found)
    elif name is None:
        fields = ("name", "type", "model", "queued", "in_flight")
        rows = [[*(one.get(field) for field in fields), _workers(one)] for one in found]
        own.table((*fields, "workers"), rows)
    else:
        _show(own, found)


def _workers(runtime: Mapping[str, Any]) -> str | None:
    workers = runtime.get("workers")  # not in a deployment of an earlier version
    if workers is None:
        return None
    starting = f" (+{workers['starting']} starting)" if workers["starting"] else ""
    return f"{workers['running']}{starting}"


def _show(own: Program, found: RuntimeDetails) -> None:
    listed = found["models"] or ()
    models = [(one["kind"], one["name"], f"{one['bytes']:,}", one["modified_at"]) for one in listed]
    own.table(("kind", "name", "bytes", "modified_at"), models)
    if found["models"] is None:
        own.note("the model bucket cannot be listed now, so the models are not known")
    engine = {name: value for name, value in (found["engine"] or {}).items() if isinstance(value, list)}
    for name, values in engine.items():
        own.line(f"\n{name.replace('_', ' ')}: {', '.join(map(str, values)) or 'none'}")
    if found["engine"] is None:
        own.note("no worker of this runtime has been ready yet, so its samplers and nodes are not known")
