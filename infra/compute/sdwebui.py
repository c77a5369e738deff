"""The container of SD Web UI."""

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs

from infra.runtime_types.engine import HANDOVER_FOLDER, Engine
from infra.runtime_types.sdwebui import SdWebUi, WebUi
from runtimes.sdwebui.model_names import KNOWN_FOLDERS, START_FOLDERS

_SETTINGS_FILE: Final = f"{HANDOVER_FOLDER}/settings.json"

# SD Web UI is stopped last and has nothing to lose, because the consumer has stored everything by then.
_STOP_SECONDS: Final = 10


def engine(runtime: SdWebUi) -> Engine:
    """Return the container of a runtime's SD Web UI."""
    webui = runtime.webui
    return Engine(
        container="webui",
        image=webui.image,
        entry_point=webui.entry_point,
        command=webui.command,
        environment=_environment(runtime),
        health_check=_health_check(webui),
        stop_seconds=_STOP_SECONDS,
        model_directory=webui.model_directory,
        model_folders=_model_folders(runtime),
        settings_source="container/webui/settings.json",
        settings_volume="webui-settings",
        settings_file=_SETTINGS_FILE,
        worker={
            "engine_url": f"http://127.0.0.1:{webui.port}",
            "model_filename": runtime.model_filename,
            "refiner_filename": runtime.refiner_filename,
            "dynamic_model": runtime.dynamic_model,
            "checkpoints_in_memory": runtime.checkpoints_in_memory,
            "allowed_scripts": runtime.scripts,
        },
    )


def _environment(runtime: SdWebUi) -> dict[str, str]:
    """Return the environment in the settings, or the variables that the image of AWS's Guidance reads."""
    if runtime.webui.environment is not None:
        return runtime.webui.environment
    model = (
        {"DYNAMIC_SD_MODEL": "true"}
        if runtime.dynamic_model
        else {"SD_MODEL_CHECKPOINT": runtime.model_filename}
    )
    return {"API_ONLY": "true", "CONFIG_FILE": _SETTINGS_FILE, **model}


def _model_folders(runtime: SdWebUi) -> tuple[str, ...]:
    fetched_at_start = START_FOLDERS if runtime.sync_folders is None else runtime.sync_folders
    return tuple(sorted({*KNOWN_FOLDERS, *(folder.strip("/") for folder in fetched_at_start)}))


def _health_check(webui: WebUi) -> ecs.HealthCheck:
    # A path under /sdapi, because `/` answers 200 before /sdapi is available (tests/contract,
    # 83-webui-readiness-race).
    url = f"http://127.0.0.1:{webui.port}{webui.health_path}"
    script = f"import urllib.request as u; u.urlopen('{url}', timeout=5)"
    return ecs.HealthCheck(
        # Uses SD Web UI's own Python, the one program that every such image has.
        command=["CMD-SHELL", f'"$(command -v python3 || command -v python)" -c "{script}" || exit 1'],
        # ECS allows a start period of 300 s at most; ten more failures make it nine minutes.
        start_period=cdk.Duration.seconds(300),
        interval=cdk.Duration.seconds(25),
        timeout=cdk.Duration.seconds(10),
        retries=10,
    )
