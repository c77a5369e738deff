"""`python -m container.consumer`: process the queue of one runtime until asked to stop."""

import logging
import sys
from typing import Final

from container.consumer import sync_models
from container.consumer.composition import compose
from container.consumer.engines.base import ReplaceEngine
from container.consumer.model_store.connect import BadModelDir
from container.consumer.model_store.settings import BadSettings
from container.consumer.settings import read_settings
from container.consumer.shutdown import REPLACE_ENGINE
from container.consumer.telemetry.logs import log_to_stdout

SWITCH_SECONDS: Final = 0.0005
"""How soon a busy thread gives way to another one. The GPU waits for the main thread, which with Python's
default would wait 5 ms for each busy thread: bench.gpu_busy measures up to 4 ms less between two jobs."""

log = logging.getLogger(__name__)


def main() -> int:
    """Run the consumer or `sync-models`; return the exit status."""
    if sys.argv[1:] == ["sync-models"]:
        return sync_models.main()
    if sys.argv[1:]:
        print("usage: python -m container.consumer [sync-models]", file=sys.stderr)
        return 2
    try:
        settings = read_settings()
    except BadSettings as error:
        print(f"consumer: {error}", file=sys.stderr)
        return 2
    log_to_stdout(settings.log_level, runtime=settings.runtime_name)
    try:
        consumer = compose(settings)
    except (BadModelDir, BadSettings) as error:
        print(f"consumer: {error}", file=sys.stderr)
        return 2
    sys.setswitchinterval(SWITCH_SECONDS)
    consumer.shutdown.install()
    log.info("consumer started")
    try:
        consumer.worker.run()
    except ReplaceEngine as error:
        log.error("the engine must be replaced", extra={"reason": str(error)})  # noqa: TRY400 - the reason says it all
        return REPLACE_ENGINE
    log.info("consumer stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
