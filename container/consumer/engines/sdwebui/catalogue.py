"""The names that the running SD Web UI lists: samplers, schedulers, styles, scripts, settings."""

from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from domain.errors import PermanentError, RetryableError
from runtimes.sdwebui.listed_names import nearest_listed

_SAMPLERS: Final = "/sdapi/v1/samplers"
_SCHEDULERS: Final = "/sdapi/v1/schedulers"
_STYLES: Final = "/sdapi/v1/prompt-styles"
_SCRIPTS: Final = "/sdapi/v1/scripts"
_SCRIPT_INFO: Final = "/sdapi/v1/script-info"
_OPTIONS: Final = "/sdapi/v1/options"
_FACE_RESTORERS: Final = "/sdapi/v1/face-restorers"
_UPSCALERS: Final = ("/sdapi/v1/upscalers", "/sdapi/v1/latent-upscale-modes")
_PREPROCESSORS: Final = ("/controlnet/module_list", "/controlnet/module_list?alias_names=true")

_NO_SUCH_ROUTE: Final = {"detail": "Not Found"}
_MAX_NAME_SHOWN: Final = 100
"""Maximum length of a caller's name that is repeated in an error."""


T = TypeVar("T")


class WebUiGet(Protocol):
    """Sends requests to SD Web UI; raises RetryableError or PermanentError unless the status is 200."""

    def get(self, path: str) -> Any:
        """Return the JSON of a GET response."""


class Catalogue:
    """Looks up names in SD Web UI's lists, which are read once, and again if a name is missing.

    A list that this Web UI does not have is None. Names of that kind are then not checked here.
    """

    def __init__(self, webui: WebUiGet) -> None:
        self._webui = webui
        self._responses: dict[str, Any] = {}

    def lookup(self, find: Callable[["Catalogue"], T | None]) -> T | None:
        """Return the result of `find(self)`; if it is None, read the lists again and try once more."""
        result = find(self)
        if result is None:
            self._responses.clear()
            result = find(self)
        return result

    def samplers(self) -> list[dict[str, Any]] | None:
        """Return the samplers, each with its `name` and `aliases`."""
        return self._entries(_SAMPLERS)

    def schedulers(self) -> list[dict[str, Any]] | None:
        """Return the schedulers, each with its `name`, `label` and `aliases`."""
        return self._entries(_SCHEDULERS)

    def styles(self) -> list[dict[str, Any]] | None:
        """Return the styles, each with its `name`, `prompt` and `negative_prompt`."""
        return self._entries(_STYLES)

    def upscalers(self) -> list[str] | None:
        """Return the names of upscalers, including those of hires fix in latent space."""
        return self._names(*_UPSCALERS)

    def face_restorers(self) -> list[str] | None:
        """Return the names of face restorers."""
        return self._names(_FACE_RESTORERS)

    def preprocessors(self) -> list[str] | None:
        """Return the names of ControlNet's preprocessors: those of its API, then those on its page."""
        responses = [
            response for path in _PREPROCESSORS if isinstance(response := self._response(path), dict)
        ]
        names = [name for response in responses for name in response.get("module_list") or ()]
        return [name for name in names if isinstance(name, str)] if responses else None

    def scripts(self, tab: str) -> list[str] | None:
        """Return the names of the scripts of `txt2img` or `img2img`, in lower case."""
        response = self._response(_SCRIPTS)
        names = response.get(tab) if isinstance(response, dict) else None
        return [str(name).lower() for name in names] if isinstance(names, list) else None

    def arguments(self, tab: str, script: str) -> list[str] | None:
        """Return the labels of a script's arguments, or None if SD Web UI does not list them."""
        for entry in self._entries(_SCRIPT_INFO) or ():
            if entry.get("name") == script and bool(entry.get("is_img2img")) == (tab == "img2img"):
                arguments = entry.get("args")
                if not isinstance(arguments, list):
                    return None
                return [str(argument.get("label")) for argument in arguments]
        return None

    def settings(self) -> frozenset[str] | None:
        """Return the names of SD Web UI's settings, or None if it responds 500, as for one invalid value."""
        try:
            response = self._response(_OPTIONS)
        except PermanentError:
            return None
        return frozenset(response) if isinstance(response, dict) else None

    def _names(self, *paths: str) -> list[str] | None:
        lists = [entries for path in paths if (entries := self._entries(path)) is not None]
        return [str(entry["name"]) for entries in lists for entry in entries] if lists else None

    def _entries(self, path: str) -> list[dict[str, Any]] | None:
        response = self._response(path)
        if not isinstance(response, list):
            return None
        return [entry for entry in response if isinstance(entry, dict) and isinstance(entry.get("name"), str)]

    def _response(self, path: str) -> Any:
        if path not in self._responses:
            try:
                self._responses[path] = self._webui.get(path)
            except (RetryableError, PermanentError) as error:
                if error.response != _NO_SUCH_ROUTE:
                    raise
                self._responses[path] = None
        return self._responses[path]


def unknown_name_text(kind: str, name: str, listed: list[str]) -> str:
    """Return a text saying that SD Web UI does not have the name, with the nearest one that it has."""
    near = nearest_listed(name, listed)
    hint = f"; the nearest is '{near}'" if near else ""
    return f"this SD Web UI has no {kind} '{name[:_MAX_NAME_SHOWN]}'{hint}"
