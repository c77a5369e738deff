"""The commands that submit a file: a ComfyUI workflow, or a whole request."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from sd_on_ecs import bodies
from sd_on_ecs.bodies import Body, Image
from sd_on_ecs.cli.making import makes_images
from sd_on_ecs.cli.values import (
    assignments,
    at_pointer,
    find_input,
    image_argument,
    set_at_pointer,
    set_node_input,
)
from sd_on_ecs.errors import InputError

File = Annotated[
    str, typer.Argument(metavar="FILE", help="A JSON file, or - for the standard input.", show_default=False)
]
SetInput = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NODE.INPUT=VALUE",
        help="An input of a node, which its id or its title names, such as 6.text='a cat'.",
    ),
]
SetAtPointer = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="POINTER=VALUE", help="A value where a JSON pointer leads."),
]


@makes_images(set_node_input, set_option=SetInput)
def workflow(
    file: File,
    *,
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--image",
            metavar="NODE[.INPUT]=IMAGE",
            help="A file (image, video, sound) or a link for an input of a node, by default for `image`.",
        ),
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option("--output", metavar="NODE", help="Run and store only this output node."),
    ] = None,
) -> Body:
    """Run a ComfyUI workflow, as *Export (API)* saves it."""
    graph = read_json(file)
    if not all(isinstance(node, dict) and isinstance(node.get("inputs"), dict) for node in graph.values()):
        raise InputError(f"{file} is no workflow in API format; ComfyUI saves one with Export (API)")
    files = put_images(graph, assignments(images))
    return bodies.workflow(graph, files=files, outputs=outputs)


@makes_images(set_at_pointer, set_option=SetAtPointer, without=("metadata", "runtime", "task_id"))
def submit(
    file: File,
    *,
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--image",
            metavar="POINTER=FILE",
            help="Upload a file and put its link where a JSON pointer leads, such as /task/content/mask.",
        ),
    ] = None,
) -> Body:
    """Submit a whole request, such as one of the project's examples."""
    body = read_json(file)
    for pointer, name in assignments(images):
        at_pointer(body, pointer, image_argument(name))
    return body


def read_json(file: str) -> dict[str, Any]:
    """Return the JSON object in a file; raise `InputError` if it is something else."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        found = json.loads(text)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise InputError(f"{file} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{file} is no JSON object")
    return found


def put_images(graph: dict[str, Any], named: Iterable[tuple[str, str]]) -> dict[str, Image]:
    """Put the names of images into the inputs of nodes, and return the images by these names."""
    files: dict[str, Image] = {}
    for place, text in named:
        inputs, entry = find_input(graph, place, default="image")
        image = image_argument(text)
        name = f"{len(files) + 1}-{Path(text.partition('?')[0]).name}"
        inputs[entry], files[name] = name, image
    return files
