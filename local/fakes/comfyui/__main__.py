"""Start the fake from the command line: `python -m local.fakes.comfyui`."""

from pathlib import Path
from typing import Annotated

import typer

from local.fakes.comfyui.components import Components
from local.fakes.comfyui.faults import FAULTS, REQUEST_FAULTS
from local.fakes.comfyui.server import run
from local.fakes.comfyui.settings import Cache, Settings, Version
from local.fakes.faults import fault_option

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command()
def main(
    *,
    models: Annotated[Path, typer.Option(help="Folder of models: checkpoints, loras, vae and so on.")],
    input_directory: Annotated[Path, typer.Option(help="Folder of uploaded files.")],
    output_directory: Annotated[Path, typer.Option(help="Folder of saved files.")],
    temp_directory: Annotated[
        Path, typer.Option(help="Temporary files are in its folder `temp`, as ComfyUI has them.")
    ],
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8188,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    control_port: Annotated[
        int,
        typer.Option(help="Port that serves only /fake, even while the main one refuses; 0: a free one."),
    ] = 0,
    version: Annotated[Version, typer.Option(help="Behave as this version.")] = "0.27.0",
    step_seconds: Annotated[float, typer.Option(help="Duration of one sampling step.")] = 0.05,
    job_seconds: Annotated[
        float | None, typer.Option(help="Duration of every sampler; overrides --step-seconds.")
    ] = None,
    load_seconds: Annotated[float, typer.Option(help="Duration of loading a model.")] = 0.2,
    boot_seconds: Annotated[
        float, typer.Option(help="Refuse connections for this time after the start.")
    ] = 0,
    cache: Annotated[
        Cache, typer.Option(help="Keep the results of the previous prompt, of all prompts, or none.")
    ] = "classic",
    metadata: Annotated[
        bool, typer.Option("--metadata/--no-metadata", help="Write the prompt into PNG files.")
    ] = True,
    preview: Annotated[
        bool, typer.Option("--preview/--no-preview", help="Send previews over the websocket.")
    ] = False,
    max_upload_bytes: Annotated[int, typer.Option(help="Largest body of a request.")] = 100 * 1024 * 1024,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Switch a fault on from the start: NAME, or NAME:JOBS for this many jobs. Can be repeated."
        ),
    ] = None,
) -> None:
    """Fake ComfyUI. It is **no diffusion model**: it draws simple pictures from the workflow. Its responses, errors and quirks are those of a recorded ComfyUI, which runs one job at a time."""  # noqa: E501 -- one paragraph of --help
    settings = Settings(
        models=models.resolve(),
        input=input_directory.resolve(),
        output=output_directory.resolve(),
        temp=temp_directory.resolve() / "temp",
        version=version,
        step_seconds=step_seconds,
        job_seconds=job_seconds,
        load_seconds=load_seconds,
        boot_seconds=boot_seconds,
        cache=cache,
        metadata=metadata,
        preview=preview,
        max_upload_bytes=max_upload_bytes,
    )
    components = Components.make(settings)
    for text in fault or []:
        injected = fault_option(text, FAULTS)
        of_request = injected.name in REQUEST_FAULTS
        group = components.request_faults[injected.name] if of_request else components.faults
        group.switch_on(injected)
    run(components, host=host, port=port, control_port=control_port)


if __name__ == "__main__":
    app(prog_name="python -m local.fakes.comfyui")
