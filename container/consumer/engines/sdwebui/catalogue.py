"""The names that the running SD Web UI lists: samplers, schedulers, styles, scripts, settings."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any, Final, Protocol, TypeVar

from domain.errors import PermanentError, RetryableError

_SAMPLERS: Final = "/sdapi/v1/samplers"
_SCHEDULERS: Final = "/sdapi/v1/schedulers"
_STYLES: Final = "/sdapi/v1/prompt-styles"
_SCRIPTS: Final = "/sdapi/v1/scripts"
_SCRIPT_INFO: Final = "/sdapi/v1/script-info"
_OPTIONS: Final = "/sdapi/v1/options"
_FACE_RESTORERS: Final = "/sdapi/v1/face-restorers"
_UPSCALERS: Final = ("/sdapi/v1/upscalers", "/sdapi/v1/latent-upscale-modes")
_PREPROCESSORS: Final = ("/controlnet/module_list", "/controlnet/module_list?alias_names=true")

_NO_ROUTE: Final = {"detail": "Not Found"}
_SHOWN: Final = 100
_CUTOFF: Final = 0.5


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
        self._answers: dict[str, Any] = {}

    def lookup(self, find: Callable[["Catalogue"], T | None]) -> T | None:
        """Return what `find` finds, trying again with lists that are read anew."""
        found = find(self)
        if found is None:
            self._answers.clear()
            found = find(self)
        return found

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
        answers = [answer for path in _PREPROCESSORS if isinstance(answer := self._answer(path), dict)]
        listed = [name for answer in answers for name in answer.get("module_list") or ()]
        return [name for name in listed if isinstance(name, str)] if answers else None

    def scripts(self, tab: str) -> list[str] | None:
        """Return the names of the scripts of `txt2img` or `img2img`, in lower case."""
        answer = self._answer(_SCRIPTS)
        listed = answer.get(tab) if isinstance(answer, dict) else None
        return [str(name).lower() for name in listed] if isinstance(listed, list) else None

    def arguments(self, tab: str, script: str) -> list[str] | None:
        """Return the labels of a script's arguments, or None if SD Web UI does not list them."""
        for entry in self._entries(_SCRIPT_INFO) or ():
            if entry.get("name") == script and bool(entry.get("is_img2img")) == (tab == "img2img"):
                listed = entry.get("args")
                return [str(one.get("label")) for one in listed] if isinstance(listed, list) else None
        return None

    def settings(self) -> frozenset[str] | None:
        """Return the names of SD Web UI's settings, or None if it responds 500, as for one invalid value."""
        try:
            answer = self._answer(_OPTIONS)
        except PermanentError:
            return None
        return frozenset(answer) if isinstance(answer, dict) else None

    def _names(self, *paths: str) -> list[str] | None:
        answers = [entries for path in paths if (entries := self._entries(path)) is not None]
        return [str(entry["name"]) for entries in answers for entry in entries] if answers else None

    def _entries(self, path: str) -> list[dict[str, Any]] | None:
        answer = self._answer(path)
        if not isinstance(answer, list):
            return None
        return [entry for entry in answer if isinstance(entry, dict) and isinstance(entry.get("name"), str)]

    def _answer(self, path: str) -> Any:
        if path not in self._answers:
            try:
                self._answers[path] = self._webui.get(path)
            except (RetryableError, PermanentError) as fault:
                if fault.response != _NO_ROUTE:
                    raise
                self._answers[path] = None
        return self._answers[path]


def same_name(name: str, listed: list[str]) -> str | None:
    """Return the listed name that equals `name`, or the only one that differs in case, blanks, `_` or `-`."""
    if name in listed:
        return name
    alike = {one for one in listed if _plain(one) == _plain(name)}
    return alike.pop() if len(alike) == 1 else None


def unknown(what: str, name: str, listed: list[str]) -> str:
    """Return a text saying that SD Web UI does not have the name, with the nearest one that it has."""
    return f"this SD Web UI has no {what} '{name[:_SHOWN]}'{''.join(_nearest(name, listed))}"


def _nearest(name: str, listed: list[str]) -> Iterator[str]:
    plain = {_plain(one): one for one in listed}
    for near in get_close_matches(_plain(name[:_SHOWN]), plain, n=1, cutoff=_CUTOFF):
        yield f"; the nearest is '{plain[near]}'"


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace(" ", "").replace("-", "")
