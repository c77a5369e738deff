"""What a SD Web UI container is told: its environment, and how one sees that it lives."""

from typing import Final

from infra.settings import Runtime, WebUi

# Where the settings file of container/webui/ is put for it (`infra.worker_task`).
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


def health_command(webui: WebUi) -> list[str]:
    """Ask SD Web UI with its own Python, the one program that every such image has."""
    # A path under /sdapi: `/` answers 200 before /sdapi is there (webui-contract, 83-webui-readiness-race).
    url = f"http://127.0.0.1:{webui.port}{webui.health_path}"
    script = f"import urllib.request as u; u.urlopen('{url}', timeout=5)"
    return ["CMD-SHELL", f'"$(command -v python3 || command -v python)" -c "{script}" || exit 1']
