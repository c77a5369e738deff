"""`python -m container.consumer sync-models`: prepare models and settings before the engine starts."""

import sys

from container.consumer.model_store.connect import BadModelDir, connect
from container.consumer.model_store.engine_settings import CannotWriteSettings, add_settings, filled_folders
from container.consumer.model_store.settings import BadSettings, ModelSettings
from container.consumer.model_store.sync import CannotSync, Sync
from container.consumer.telemetry.logs import log_to_stdout
from runtimes.registry import RUNTIME_TYPES


def main() -> int:
    """Run the command and return its exit status."""
    try:
        settings = ModelSettings.read()
    except BadSettings as error:
        return _report_failure(str(error))
    log_to_stdout(settings.log_level, runtime=settings.runtime_name)
    return run(settings)


def run(settings: ModelSettings) -> int:
    """Download the models in the settings, print a summary line, and return the exit status."""
    try:
        _sync(settings)
        folders = filled_folders(settings.engine_folders, settings.model_dir)
        add_settings(settings.engine_settings_file, settings.engine_settings | folders)
    except (CannotSync, CannotWriteSettings, BadModelDir, BadSettings) as error:
        return _report_failure(str(error))
    return 0


def _sync(settings: ModelSettings) -> None:
    if not settings.model_bucket:
        print("sync-models: MODEL_BUCKET is not set, so no models are downloaded", flush=True)
        return
    rules = settings.select_by_type(RUNTIME_TYPES)
    print(Sync(*connect(settings), rules).run(settings.runtime, settings.folders), flush=True)


def _report_failure(reason: str) -> int:
    print(f"sync-models: {reason}", file=sys.stderr, flush=True)
    return 1
