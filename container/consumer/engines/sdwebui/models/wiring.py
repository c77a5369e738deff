"""The parts of models put together from their settings."""

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, WebUiApi
from container.consumer.engines.sdwebui.models.resolver import ModelResolver
from container.consumer.engines.sdwebui.models.store import ModelStore
from container.consumer.engines.sdwebui.models.switch import Models
from container.consumer.model_store.connect import connect
from container.consumer.model_store.settings import ModelSettings


def wire_models(settings: ModelSettings, webui: WebUiApi, *, dynamic: bool) -> Models:
    """Build what the worker needs. Without a bucket nothing is fetched."""
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
    )
