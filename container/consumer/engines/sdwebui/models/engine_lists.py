"""What a running SD Web UI lists of each kind of model, and how it is made to look again."""

from collections.abc import Iterator
from typing import Any, Final, Protocol

from container.consumer.engines.sdwebui.client import PROBE_SECONDS
from domain.errors import PermanentError, RetryableError
from runtimes.sdwebui.model_names import Kind, checkpoint_aliases


class WebUiApi(Protocol):
    """Ask SD Web UI; raise RetryableError or PermanentError for all but 200."""

    def get(self, path: str) -> Any:
        """Return the JSON that a GET answers."""

    def post(self, path: str, body: Any, *, seconds: float = PROBE_SECONDS) -> Any:
        """Return the JSON that a POST without a job answers within so many seconds."""


_LISTS: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.LORA: ("/sdapi/v1/loras",),
    Kind.HYPERNETWORK: ("/sdapi/v1/hypernetworks",),
    Kind.VAE: ("/sdapi/v1/sd-vae", "/sdapi/v1/sd-modules"),  # AUTOMATIC1111's and Forge's (03-get-sd-vae)
    Kind.MODULE: ("/sdapi/v1/sd-modules",),
    Kind.UPSCALER: ("/sdapi/v1/upscalers", "/sdapi/v1/latent-upscale-modes"),
    Kind.CONTROLNET: ("/controlnet/model_list?update=false",),
}

_NO_SUCH_ROUTE: Final = {"detail": "Not Found"}

_REFRESHES: Final = {
    Kind.CHECKPOINT: "/sdapi/v1/refresh-checkpoints",
    Kind.LORA: "/sdapi/v1/refresh-loras",
    Kind.VAE: "/sdapi/v1/refresh-vae",
    Kind.MODULE: "/sdapi/v1/refresh-vae",
    Kind.EMBEDDING: "/sdapi/v1/refresh-embeddings",
}


class EngineModelLists:
    """Read and refresh Web UI's lists. A GET is answered while a job runs, a refresh waits."""

    def __init__(self, webui: WebUiApi) -> None:
        self._webui = webui

    def once(self) -> "EngineModelLists":
        """Return lists that are each asked for once: for the requirements of one task."""
        return EngineModelLists(_AskedOnce(self._webui))

    def checkpoints(self) -> list[dict[str, Any]]:
        """Return `/sd-models`."""
        listed = self._webui.get("/sdapi/v1/sd-models")
        return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []

    def checkpoint_names(self) -> list[str]:
        """Return every name by which a listed checkpoint can be asked for."""
        return [name for entry in self.checkpoints() for name in checkpoint_aliases(entry)]

    def named(self, kind: Kind) -> list[dict[str, Any]] | None:
        """Return what is listed of a kind, None when this Web UI has no such list."""
        answers = [self._get(path) for path in _LISTS.get(kind, ())]
        known = [answer for answer in answers if answer is not None]
        return [entry for answer in known for entry in _entries(answer)] if known else None

    def refresh(self, kind: Kind) -> None:
        """Make Web UI read a kind's folders again; what it reads at its start only stays as it is."""
        if kind is Kind.CONTROLNET:
            self._get("/controlnet/model_list?update=true")
        elif path := _REFRESHES.get(kind):
            if kind is Kind.CHECKPOINT:
                self._webui.post(path, {})
            else:
                self._optional("POST", path)

    def _get(self, path: str) -> Any:
        return self._optional("GET", path)

    def _optional(self, method: str, path: str) -> Any:
        """Ask a route that not each Web UI has: 404 there is no Web UI that is not ready yet."""
        try:
            return self._webui.get(path) if method == "GET" else self._webui.post(path, {})
        except (RetryableError, PermanentError) as fault:
            if fault.response == _NO_SUCH_ROUTE:
                return None
            raise


class _AskedOnce:
    """Remember what each GET answered."""

    def __init__(self, webui: WebUiApi) -> None:
        self._webui = webui
        self._answers: dict[str, Any] = {}

    def get(self, path: str) -> Any:
        """Return the first answer again, also that there is no such route."""
        if path not in self._answers:
            try:
                self._answers[path] = self._webui.get(path)
            except (PermanentError, RetryableError) as fault:
                if fault.response != _NO_SUCH_ROUTE:
                    raise
                self._answers[path] = fault
        answer = self._answers[path]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def post(self, path: str, body: Any, *, seconds: float = PROBE_SECONDS) -> Any:
        """Pass a POST on; what was answered before may have changed with it."""
        self._answers.clear()
        return self._webui.post(path, body, seconds=seconds)


def names_of(entry: dict[str, Any]) -> Iterator[str]:
    """Yield the names under which a listed model can be asked for."""
    for key in ("name", "alias", "model_name"):
        if isinstance(entry.get(key), str):
            yield entry[key]


def _entries(answer: Any) -> Iterator[dict[str, Any]]:
    if isinstance(answer, dict):
        answer = answer.get("model_list", [])
    for item in answer if isinstance(answer, list) else ():
        if isinstance(item, dict):
            yield item
        elif isinstance(item, str):
            yield {"name": item}
