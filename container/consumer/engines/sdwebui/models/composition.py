"""Create the parts that fetch and select models, from the consumer's settings."""

from collections.abc import Callable

from container.consumer.engines.sdwebui.models.engine_lists import EngineModelLists, WebUiApi
from container.consumer.engines.sdwebui.models.resolver import ModelResolver
from container.consumer.engines.sdwebui.models.store import ModelStore
from container.consumer.engines.sdwebui.models.switch import ModelManager
from container.consumer.model_store.connect import connect
from container.consumer.model_store.settings import ModelSettings


def compose_models(
    settings: ModelSettings,
    webui: WebUiApi,
    *,
    dynamic: bool,
    is_same_process: Callable[[], bool] = lambda: False,
) -> ModelManager:
    """Return the worker's ModelManager; without a model bucket it downloads nothing."""
    lists = EngineModelLists(webui)
    if settings.model_bucket:
        bucket, fetcher = connect(settings)
        store = ModelStore(ModelResolver(bucket, fetcher.volume, lists), fetcher)
    else:
        store = ModelStore(ModelResolver(None, None, lists), None)
    return ModelManager(
        store,
        webui,
        own_checkpoint=settings.model_filename,
        dynamic=dynamic,
        in_memory=settings.checkpoints_in_memory,
        is_same_process=is_same_process,
    )
