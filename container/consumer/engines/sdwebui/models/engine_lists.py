"""SD Web UI's lists of models of each kind, and how to refresh them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Protocol

from container.consumer.engines.sdwebui.client import PROBE_SECONDS
from domain.errors import PermanentError, RetryableError
from runtimes.sdwebui.model_names import Kind, checkpoint_aliases, split_hash, without_extension

MODULES: Final = "/sdapi/v1/sd-modules"
"""Forge's list of VAEs and text encoders; AUTOMATIC1111 has none (03-get-sd-vae)."""

_LISTS: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.LORA: ("/sdapi/v1/loras",),
    Kind.HYPERNETWORK: ("/sdapi/v1/hypernetworks",),
    Kind.VAE: ("/sdapi/v1/sd-vae", MODULES),
    Kind.MODULE: (MODULES,),
    Kind.UPSCALER: ("/sdapi/v1/upscalers", "/sdapi/v1/latent-upscale-modes"),
    Kind.CONTROLNET: ("/controlnet/model_list?update=false",),
    Kind.DETECTOR: ("/adetailer/v1/ad_model",),
}

_NO_SUCH_ROUTE: Final = {"detail": "Not Found"}

_REFRESHES: Final = {
    Kind.CHECKPOINT: "/sdapi/v1/refresh-checkpoints",
    Kind.LORA: "/sdapi/v1/refresh-loras",
    Kind.VAE: "/sdapi/v1/refresh-vae",
    Kind.EMBEDDING: "/sdapi/v1/refresh-embeddings",
}

_LISTED_AT_START: Final = frozenset({Kind.UPSCALER, Kind.DETECTOR, Kind.HYPERNETWORK, Kind.MODULE})
_LISTED_AT_START_BY_FORGE: Final = _LISTED_AT_START | {Kind.CONTROLNET, Kind.VAE}
"""Kinds that SD Web UI lists only when it starts."""


class WebUiApi(Protocol):
    """Sends requests to SD Web UI; raises RetryableError or PermanentError unless the status is 200."""

    def get(self, path: str) -> Any:
        """Return the JSON of a GET response."""

    def post(self, path: str, body: Any, *, seconds: float = PROBE_SECONDS) -> Any:
        """Return the JSON of the response to a POST without a job, within a number of seconds."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model in a list of SD Web UI."""

    name: str
    """The name by which requests refer to it."""
    path: str = ""
    """Its path, if the list contains one; an upscaler's may be a URL."""
    alias: str = ""
    """Another name, from inside the file; SD Web UI does not accept one that two files share."""


class EngineModelLists:
    """Reads and refreshes SD Web UI's lists; it responds to a GET during a job, but not to a refresh."""

    def __init__(self, webui: WebUiApi) -> None:
        self._webui = webui

    def cached(self) -> "EngineModelLists":
        """Return the same lists, but each requested only once: for the models of one task."""
        return EngineModelLists(_CachingWebUi(self._webui))

    @property
    def is_forge(self) -> bool:
        """Return whether this is Forge, recognized by a list that only Forge has."""
        return self._get(MODULES) is not None

    def checkpoints(self) -> list[dict[str, Any]]:
        """Return the entries of `/sd-models` (objects with `title`, `model_name`, `filename` and `hash`)."""
        response = self._webui.get("/sdapi/v1/sd-models")
        entries = response if isinstance(response, list) else []
        return [entry for entry in entries if isinstance(entry, dict)]

    def checkpoint_names(self) -> list[str]:
        """Return every name by which tasks can ask for a listed checkpoint."""
        return [name for entry in self.checkpoints() for name in checkpoint_aliases(entry)]

    def models(self, kind: Kind) -> list[ListedModel] | None:
        """Return the listed models of a kind, or None if this Web UI has no such list."""
        responses = [self._get(path) for path in _LISTS.get(kind, ())]
        lists = [response for response in responses if response is not None]
        return [model for response in lists for model in _read_models(response)] if lists else None

    def is_listed_at_start(self, kind: Kind) -> bool:
        """Return whether this Web UI lists a kind only when it starts."""
        return kind in _LISTED_AT_START or (kind in _LISTED_AT_START_BY_FORGE and self.is_forge)

    def refresh(self, kind: Kind) -> None:
        """Make SD Web UI read the folders of a kind again, unless it reads the kind only at its start."""
        if kind is Kind.CONTROLNET:
            self._get("/controlnet/model_list?update=true")
        elif path := _REFRESHES.get(kind):
            if kind is Kind.CHECKPOINT:
                self._webui.post(path, {})
            else:
                self._request_optional("POST", path)

    def embeddings(self) -> set[str] | None:
        """Return the names of the embeddings in lower case, as SD Web UI compares them."""
        response = self._get("/sdapi/v1/embeddings")
        if not isinstance(response, dict):
            return None
        groups = (response.get("loaded"), response.get("skipped"))
        return {name.lower() for group in groups if isinstance(group, dict) for name in group}

    def style_prompt(self, name: str) -> str:
        """Return the prompt that a style of SD Web UI adds, or ""."""
        response = self._get("/sdapi/v1/prompt-styles")
        for entry in response if isinstance(response, list) else ():
            if isinstance(entry, dict) and entry.get("name") == name:
                return str(entry.get("prompt") or "")
        return ""

    def _get(self, path: str) -> Any:
        return self._request_optional("GET", path)

    def _request_optional(self, method: str, path: str) -> Any:
        """Request a route that some Web UIs lack; a 404 does not mean that SD Web UI is not ready."""
        try:
            return self._webui.get(path) if method == "GET" else self._webui.post(path, {})
        except (RetryableError, PermanentError) as error:
            if error.response == _NO_SUCH_ROUTE:
                return None
            raise


def has_name(kind: Kind, model: ListedModel, wanted: str, wanted_hash: str) -> bool:
    """Return whether a name refers to a listed model; a folder in the name must be the model's folder."""
    if model.name == wanted:
        return True
    name, listed_hash = split_hash(kind, model.name) or (model.name, "")
    if wanted_hash and wanted_hash != listed_hash:
        return False
    paths = f"/{model.path}", without_extension(f"/{model.path}")
    is_in_folder = any(path.endswith(f"/{wanted}") for path in paths)
    return name == wanted or (name == PurePosixPath(wanted).name and is_in_folder)


def remove_hash(kind: Kind, name: str) -> str:
    """Return a name without the hash that is listed after it."""
    split = split_hash(kind, name)
    return split[0] if split else name


class _CachingWebUi:
    """Forwards requests, and remembers the response to each GET until the next POST."""

    def __init__(self, webui: WebUiApi) -> None:
        self._webui = webui
        self._responses: dict[str, Any] = {}

    def get(self, path: str) -> Any:
        """Return the first response again, also if it was that the route does not exist."""
        if path not in self._responses:
            try:
                self._responses[path] = self._webui.get(path)
            except (PermanentError, RetryableError) as error:
                if error.response != _NO_SUCH_ROUTE:
                    raise
                self._responses[path] = error
        response = self._responses[path]
        if isinstance(response, Exception):
            raise response
        return response

    def post(self, path: str, body: Any, *, seconds: float = PROBE_SECONDS) -> Any:
        """Forward a POST and forget earlier responses, which may have changed."""
        self._responses.clear()
        return self._webui.post(path, body, seconds=seconds)


def _read_models(response: Any) -> Iterator[ListedModel]:
    if isinstance(response, dict):
        response = response.get("model_list") or response.get("ad_model") or []
    for item in response if isinstance(response, list) else ():
        if isinstance(item, str):
            yield ListedModel(item)
        elif isinstance(item, dict):
            name = item.get("name") or item.get("model_name")
            path = item.get("path") or item.get("filename") or item.get("model_path")
            yield ListedModel(str(name or ""), str(path or ""), str(item.get("alias") or ""))
