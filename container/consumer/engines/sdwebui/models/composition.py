"""Composition of the models' components from their settings."""

from collections.abc import Callable

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, WebUiApi
from container.consumer.engines.sdwebui.models.resolver import ModelResolver
from container.consumer.engines.sdwebui.models.store import ModelStore
from container.consumer.engines.sdwebui.models.switch import Models
from container.consumer.model_store.connect import connect
from container.consumer.model_store.settings import ModelSettings


def compose_models(
    settings: ModelSettings,
    webui: WebUiApi,
    *,
    dynamic: bool,
    same_process: Callable[[], bool] = lambda: False,
) -> Models:
    """Create the models' components for the worker; without a bucket nothing is downloaded."""
    lists = EngineModelLists(webui)
    if settings.model_bucket:
        bucket, fetcher = connect(settings)
        store = ModelStore(ModelResolver(bucket, fetcher.volume, lists), fetcher)
    else:
        store = ModelStore(ModelResolver(None, None, lists), None)
    return Models(
        store,
        webui,
        own=settings.model_filename,
        dynamic=dynamic,
        in_memory=settings.checkpoints_in_memory,
        same_process=same_process,
    )
