"""What a SD Web UI container is told: its environment, and how one sees that it lives."""

from typing import Final

from infra.settings.deployment import Runtime, WebUi
from runtimes.sdwebui.model_names import KNOWN_FOLDERS, START_FOLDERS

# Where the settings file of container/webui/ is put for it (`infra.compute.worker_task`).
SETTINGS_FOLDER: Final = "/opt/sd-on-ecs"
SETTINGS_FILE: Final = f"{SETTINGS_FOLDER}/settings.json"


def webui_environment(runtime: Runtime) -> dict[str, str]:
    """Return what the settings say, or else what the ancestor's public image reads."""
    if runtime.webui.environment is not None:
        return runtime.webui.environment
    model = (
        {"DYNAMIC_SD_MODEL": "true"}
        if runtime.dynamic_model
        else {"SD_MODEL_CHECKPOINT": runtime.model_filename}
    )
    return {"API_ONLY": "true", "CONFIG_FILE": SETTINGS_FILE, **model}


# ECS tells every container of a task where its role's credentials are.
_CREDENTIALS: Final = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")


def entry_point(webui: WebUi) -> list[str] | None:
    """Return what starts SD Web UI without the address of the task role's credentials; None: the image's own.

    An entry point that only the image knows cannot be wrapped.
    """
    if not webui.entry_point:
        return None
    return ["env", *(part for name in _CREDENTIALS for part in ("-u", name)), *webui.entry_point]


def pinned(webui: WebUi) -> bool:
    """Tell whether the image is named by its digest, so that every start runs the same one."""
    return "@sha256:" in webui.image


def model_folders(runtime: Runtime) -> list[str]:
    """Return the folders of the model bucket that this runtime's tasks read."""
    fetched_at_start = START_FOLDERS if runtime.sync_folders is None else runtime.sync_folders
    return sorted({*KNOWN_FOLDERS, *(folder.strip("/") for folder in fetched_at_start)})


def health_command(webui: WebUi) -> list[str]:
    """Ask SD Web UI with its own Python, the one program that every such image has."""
    # A path under /sdapi: `/` answers 200 before /sdapi is there (webui-contract, 83-webui-readiness-race).
    url = f"http://127.0.0.1:{webui.port}{webui.health_path}"
    script = f"import urllib.request as u; u.urlopen('{url}', timeout=5)"
    return ["CMD-SHELL", f'"$(command -v python3 || command -v python)" -c "{script}" || exit 1']
