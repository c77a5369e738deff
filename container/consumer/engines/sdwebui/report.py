"""What the running SD Web UI lists, for the API's catalogue and its warnings."""

from container.consumer.engines.sdwebui.catalogue import Catalogue
from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, WebUiApi
from container.consumer.engines.sdwebui.name_resolution import TABS
from container.consumer.engines.sdwebui.styles import BucketStyles
from runtimes.base import EngineNames
from runtimes.sdwebui.engine_lists import (
    EMBEDDINGS,
    SAMPLER_ALIASES,
    SAMPLERS,
    SCHEDULER_ALIASES,
    SCHEDULERS,
    SCRIPTS,
    STYLES,
    UPSCALERS,
)
from runtimes.sdwebui.model_names import CHECKPOINT_FOLDER, UPSCALER_FOLDER


def listed_names(webui: WebUiApi, styles: BucketStyles) -> EngineNames:
    """Return the names that SD Web UI lists, and the styles of the model bucket.

    Raise RetryableError or PermanentError if one of them does not respond.
    """
    catalogue, lists = Catalogue(webui), EngineModelLists(webui)
    samplers, schedulers, engine_styles = catalogue.samplers(), catalogue.schedulers(), catalogue.styles()
    upscalers, embeddings = catalogue.upscalers(), lists.embeddings()
    tabs = [catalogue.scripts(tab) for tab in TABS.values()]
    found = {
        SAMPLERS: _names(samplers),
        SAMPLER_ALIASES: _aliases(samplers),
        SCHEDULERS: _names(schedulers, "label"),
        SCHEDULER_ALIASES: [*(_names(schedulers) or ()), *(_aliases(schedulers) or ())],
        UPSCALERS: upscalers,
        SCRIPTS: [name for tab in tabs for name in tab or ()] if any(tabs) else None,
        STYLES: [*styles.all(), *(_names(engine_styles) or ())] if engine_styles is not None else None,
        EMBEDDINGS: sorted(embeddings) if embeddings is not None else None,
    }
    models = {CHECKPOINT_FOLDER: lists.checkpoint_names(), UPSCALER_FOLDER: upscalers}
    return EngineNames(_known(models), _known(found))


def _known(lists: dict[str, list[str] | None]) -> dict[str, list[str]]:
    return {key: listed for key, listed in lists.items() if listed is not None}


def _names(entries: list[dict[str, object]] | None, key: str = "name") -> list[str] | None:
    return None if entries is None else [str(entry.get(key) or entry["name"]) for entry in entries]


def _aliases(entries: list[dict[str, object]] | None) -> list[str] | None:
    if entries is None:
        return None
    listed = [aliases for entry in entries if isinstance(aliases := entry.get("aliases"), list)]
    return [alias for aliases in listed for alias in aliases if isinstance(alias, str)]
