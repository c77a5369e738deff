"""Start the fake: `python -m local.fakes.sdwebui --help`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from local.fakes.faults import fault_option
from local.fakes.sdwebui.components import Components
from local.fakes.sdwebui.faults import FAULTS
from local.fakes.sdwebui.server import run
from local.fakes.sdwebui.settings import Settings

DEFAULTS = Settings()
FAULT_LIST = "  \n".join(f"* **{name}**: {meaning}." for name, meaning in FAULTS.items())
EPILOG = f"""
Faults can also be switched on while it runs, with JSON to routes below /fake, which Web UI does not have.
They are served on the main port and on the control port:
`POST /fake/faults {{"name": "hang", "jobs": 1}}`, `DELETE /fake/faults`,
`GET /fake/stats`, `GET /fake/wait?begun=1`.

Faults:

{FAULT_LIST}
"""

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command(epilog=EPILOG)
def main(
    *,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 7860,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    control_port: Annotated[
        int,
        typer.Option(help="Port that serves only /fake, even while the main one refuses; 0: a free one."),
    ] = 0,
    model_dir: Annotated[
        Path | None,
        typer.Option(
            help="Web UI's `models` folder, or a folder of checkpoints: any *.safetensors counts, however "
            "small. Default: a few built-in names."
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="The checkpoint that is selected at first. Default: the first one listed."),
    ] = None,
    step_seconds: Annotated[
        float, typer.Option(help="Duration of one sampling step.")
    ] = DEFAULTS.step_seconds,
    job_seconds: Annotated[
        float | None,
        typer.Option(help="Duration of every generation; overrides --step-seconds."),
    ] = None,
    max_steps: Annotated[int, typer.Option(help="Run at most this many steps; 0: as many as requested.")] = 0,
    extra_seconds: Annotated[
        float, typer.Option(help="Duration of an extra-* request.")
    ] = DEFAULTS.extra_seconds,
    load_seconds: Annotated[
        float, typer.Option(help="Duration of loading a checkpoint from disk.")
    ] = DEFAULTS.load_seconds,
    cached_load_seconds: Annotated[
        float,
        typer.Option(
            help="Duration of switching to a checkpoint kept in memory (option sd_checkpoints_limit)."
        ),
    ] = DEFAULTS.cached_load_seconds,
    boot_seconds: Annotated[
        float, typer.Option(help="Refuse connections for this time after the start.")
    ] = 0,
    gap_seconds: Annotated[float, typer.Option(help="Then respond 404 below /sdapi for this time.")] = 0,
    web_ui: Annotated[
        bool, typer.Option("--web-ui/--nowebui", help="Serve / and /internal, as Web UI does with its page.")
    ] = True,
    flavor: Annotated[
        Literal["forge", "a1111"], typer.Option(help="Behave as Forge or as AUTOMATIC1111.")
    ] = "forge",
    errors: Annotated[
        Literal["forge", "a1111"] | None,
        typer.Option(help="Form of error bodies. Default: the flavor's own."),
    ] = None,
    api_auth: Annotated[
        str | None, typer.Option(help="user:password pairs, comma-separated, for HTTP basic authentication.")
    ] = None,
    api_server_stop: Annotated[
        bool, typer.Option("--api-server-stop", help="Serve /server-kill, /server-restart and /server-stop.")
    ] = False,
    keep_alive_seconds: Annotated[
        int, typer.Option(help="Close connections that are idle for this time.")
    ] = DEFAULTS.keep_alive_seconds,
    gpu_gib: Annotated[
        float | None,
        typer.Option(help="Report a GPU with this much memory in /memory. Default: no GPU, as recorded."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Switch a fault on from the start: NAME, or NAME:JOBS for this many jobs. Can be repeated."
        ),
    ] = None,
) -> None:
    """Fake Stable Diffusion Web UI (/sdapi/v1). It is **no diffusion model**: it draws simple pictures from the request. Its responses, errors and quirks are those of a recorded Web UI, which runs one job at a time."""  # noqa: E501 -- one paragraph of --help
    settings = Settings(
        model_dir=model_dir,
        checkpoint=checkpoint,
        step_seconds=step_seconds,
        job_seconds=job_seconds,
        max_steps=max_steps,
        extra_seconds=extra_seconds,
        load_seconds=load_seconds,
        cached_load_seconds=cached_load_seconds,
        boot_seconds=boot_seconds,
        gap_seconds=gap_seconds,
        web_ui=web_ui,
        flavor=flavor,
        error_flavor=errors,
        api_auth=api_auth,
        server_stop=api_server_stop,
        keep_alive_seconds=keep_alive_seconds,
        gpu_gib=gpu_gib,
    )
    components = Components.make(settings)
    for text in fault or []:
        components.faults.switch_on(fault_option(text, FAULTS))
    run(components, host=host, port=port, control_port=control_port)


if __name__ == "__main__":
    app(prog_name="python -m local.fakes.sdwebui")
