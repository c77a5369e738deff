"""Commands that make images: each returns the body of a task, and all have the options to submit it."""

import inspect
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

import typer

from sd_on_ecs.bodies import Body
from sd_on_ecs.cli import options
from sd_on_ecs.cli.running import Run
from sd_on_ecs.cli.state import program
from sd_on_ecs.cli.values import Setter


def makes_images(
    put: Setter, *, set_option: Any = options.Set, without: Collection[str] = ()
) -> Callable[[Callable[..., Body]], Callable[..., None]]:
    """Turn a function that returns a body into a command that submits it; `put` sets what `--set` names.

    The command has the parameters of both. `set_option` is the annotation of `--set`, and `without` are
    options that it does not have.
    """

    def decorate(make_body: Callable[..., Body]) -> Callable[..., None]:
        submitting = inspect.signature(_submit).parameters
        shared = {
            name: parameter.replace(annotation=set_option) if name == "fields" else parameter
            for name, parameter in submitting.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name not in without
        }

        @wraps(make_body)
        def command(context: typer.Context, **given: Any) -> None:
            chosen = {name: given.pop(name) for name in shared}
            _submit(context, make_body(**given), put, **chosen)

        own = inspect.signature(make_body)
        parameters = [submitting["context"], *own.parameters.values(), *shared.values()]
        # Typer reads the options from it.
        command.__signature__ = own.replace(parameters=parameters, return_annotation=None)  # type: ignore[attr-defined]
        return command

    return decorate


def _submit(
    context: typer.Context,
    body: Body,
    put: Setter,
    *,
    fields: options.Set = None,
    metadata: options.Metadata = None,
    runtime: options.Runtime = None,
    task_id: options.TaskId = None,
    vary: options.Vary = None,
    sheet: options.Sheet = True,
    image_format: options.Format = None,
    quality: options.Quality = None,
    out: options.Out = options.HERE,
    wait: options.Wait = True,
    timeout: options.Timeout = None,
    as_json: options.Json = False,
) -> None:
    Run(program(context), body, put, out=out, wait=wait, timeout=timeout, as_json=as_json, sheet=sheet).start(
        fields=fields,
        metadata=metadata,
        runtime=runtime,
        task_id=task_id,
        vary=vary,
        output=options.output(image_format, quality),
    )
