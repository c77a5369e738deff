"""Which checkpoint SD Web UI uses next, by the way that the recordings show to be safe."""

import difflib
from pathlib import PurePath
from typing import Any, Final

from container.consumer.webui.client import WebUi
from domain.errors import ErrorCode, TaskFailed

MODELS_PATH: Final = "/sdapi/v1/sd-models"
OPTIONS_PATH: Final = "/sdapi/v1/options"


class ListedCheckpoints:
    """Use what Web UI lists (`MODEL_BUCKET` empty); the option is set between jobs, for it has no lock."""

    def __init__(self, webui: WebUi, *, own: str, dynamic: bool) -> None:
        self._webui = webui
        self._own = own
        self._dynamic = dynamic
        self._set: str | None = None

    def ensure(self, content: dict[str, Any]) -> None:
        """Fetch nothing: what is listed is what exists."""
        del content

    def switch(self, content: dict[str, Any]) -> str | None:
        """Set the option where it is another one; raise TaskFailed (`model_not_found`)."""
        named = (content.get("alwayson_scripts") or {}).get("sd_model_checkpoint")
        wanted = named if self._dynamic and named else self._own
        if not wanted:
            return None
        listed = self._webui.get(MODELS_PATH)
        names = {name: model for model in listed for name in _names(model)}
        if wanted not in names:
            near = difflib.get_close_matches(wanted, names, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise TaskFailed(ErrorCode.MODEL_NOT_FOUND, f"There is no checkpoint {wanted}.{hint}")
        title = str(names[wanted]["filename"])
        if title != self._set:
            self._webui.post(OPTIONS_PATH, {"sd_model_checkpoint": names[wanted]["title"]})
            self._set = title
        return PurePath(title).stem


def _names(model: dict[str, Any]) -> list[str]:
    file = PurePath(str(model["filename"]))
    hashes = [model[key] for key in ("hash", "sha256") if model.get(key)]
    return [str(model["title"]), str(model["model_name"]), file.name, file.stem, *hashes]
