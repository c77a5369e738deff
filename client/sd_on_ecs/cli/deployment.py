"""The commands that need AWS credentials: `login`, and those of the model bucket."""

from typing import Annotated, Final

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from sd_on_ecs._sync.client import Client
from sd_on_ecs.aws import client as aws_client
from sd_on_ecs.aws import read_stack
from sd_on_ecs.cli import options
from sd_on_ecs.cli.state import ExitCode, Program, program, write_json
from sd_on_ecs.cli.values import assignments
from sd_on_ecs.connection import Connection, Profiles
from sd_on_ecs.errors import InputError, NotConfigured
from sd_on_ecs.model_bucket import ModelBucket
from sd_on_ecs.model_sources import open_source

FOLDERS: Final = {
    "checkpoint": "Stable-diffusion",
    "lora": "Lora",
    "vae": "VAE",
    "controlnet": "ControlNet",
    "embedding": "embeddings",
    "upscaler": "ESRGAN",
}

models = typer.Typer(no_args_is_help=True, help="List and upload models (with your AWS credentials).")

Region = Annotated[str | None, typer.Option(help="Its region. Default: that of your AWS settings.")]
AwsProfile = Annotated[
    str | None, typer.Option(envvar="AWS_PROFILE", help="Profile of your AWS settings to use.")
]
Bucket = Annotated[str | None, typer.Option(help="The bucket. Default: that of the deployment.")]
Kind = Annotated[
    str | None,
    typer.Option(help=f"One of {', '.join(FOLDERS)}, or the name of a folder in the bucket."),
]


def login(
    context: typer.Context,
    stack: Annotated[str, typer.Argument(help="The name of the core stack.", show_default=False)],
    *,
    name: Annotated[str | None, typer.Option(help="The profile's name. Default: the stack's.")] = None,
    region: Region = None,
    aws_profile: AwsProfile = None,
    key_name: Annotated[
        str | None, typer.Option(help="One of the further API keys in the settings of the deployment.")
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Use it if no profile is named, as the first one is.")
    ] = False,
) -> None:
    """Store endpoint and key of a deployment in a profile, read from CloudFormation."""
    own = program(context)
    found = read_stack(
        stack, region=region, aws_profile=aws_profile, endpoint=own.endpoint, key_name=key_name
    )
    with Client(found.endpoint, found.key) as client:
        runtimes = ", ".join(runtime["name"] for runtime in client.runtimes())
    Profiles(own.profiles_file).save(name or stack, found, default=default)
    own.line(f"profile {name or stack}: {found.endpoint} (runtimes: {runtimes})")


@models.command("list")
def list_models(
    context: typer.Context, *, kind: Kind = None, bucket: Bucket = None, as_json: options.Json = False
) -> None:
    """List the files in the model bucket."""
    own = program(context)
    found = list(_bucket(own, bucket).list(FOLDERS.get(kind, kind) if kind else None))
    if as_json:
        write_json(found)
        return
    own.table(
        ("folder", "name", "bytes", "modified_at"),
        [(one["folder"], one["name"], f"{one['bytes']:,}", one["modified_at"]) for one in found],
    )


@models.command()
def upload(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FILE|URL", show_default=False)],
    *,
    kind: Kind = "checkpoint",
    name: Annotated[str | None, typer.Option(help="Its name in the bucket. Default: the file's.")] = None,
    sha256: Annotated[str | None, typer.Option(help="Store it only if its SHA-256 is this.")] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A header for the host of the URL, such as Authorization=…"),
    ] = None,
    replace_: Annotated[bool, typer.Option("--replace", help="Replace a model of this name.")] = False,
    bucket: Bucket = None,
    as_json: options.Json = False,
) -> None:
    """Upload a model; after an interruption, the same command sends only what is missing."""
    own = program(context)
    target = _bucket(own, bucket)
    with open_source(source, dict(assignments(header))) as opened:
        key = f"{FOLDERS.get(kind or '', kind)}/{name or opened.name}"
        size = target.size(key)
        if size is not None and not replace_:
            raise InputError(f"the bucket has {key} already ({size:,} bytes); --replace replaces it")
        with _bar(own) as bar:
            row = bar.add_task(key, total=opened.size)
            try:
                stored = target.upload(
                    key, opened.chunks, sha256=sha256, on_progress=lambda count: bar.advance(row, count)
                )
            except KeyboardInterrupt:
                own.note("the same command goes on where this one has stopped")
                raise typer.Exit(ExitCode.INTERRUPTED) from None
    if as_json:
        write_json(
            {
                "key": stored.key,
                "bytes": stored.bytes,
                "sha256": stored.sha256,
                "skipped_bytes": stored.skipped_bytes,
            }
        )
    else:
        skipped = f", {stored.skipped_bytes:,} of them were there" if stored.skipped_bytes else ""
        own.line(f"{stored.key} ({stored.bytes:,} bytes{skipped}, SHA-256 {stored.sha256})")


def _bucket(own: Program, bucket: str | None) -> ModelBucket:
    try:
        connection = own.connection()
    except NotConfigured:
        if bucket is None:
            raise
        connection = Connection(endpoint="", key="")
    found = bucket or connection.model_bucket
    if found is None:
        raise InputError("name the bucket: --bucket, or use a profile of `sd-on-ecs login`")
    return ModelBucket(aws_client("s3", connection), found)


def _bar(own: Program) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=own.notes,
        disable=not own.notes.is_terminal,
    )
