"""`python -m container.consumer`: consume the queue of one runtime until told to leave."""

import logging
import sys
from collections.abc import Callable
from functools import partial

from container.consumer import sync_models
from container.consumer.composition import wire
from container.consumer.engines.gpu import ReplaceEngine
from container.consumer.lifecycle.job import Job
from container.consumer.liveness.shutdown import REPLACE_WEBUI, GracefulShutdown
from container.consumer.model_store.connect import BadModelDir
from container.consumer.scheduling.loop import Worker
from container.consumer.settings import BadSettings, read_settings
from container.consumer.telemetry.logs import log_to_stdout

log = logging.getLogger(__name__)


def main() -> int:
    """Run the consumer, or `sync-models`; return the exit status."""
    if sys.argv[1:] == ["sync-models"]:
        return sync_models.main()
    if sys.argv[1:]:
        print("usage: python -m container.consumer [sync-models]", file=sys.stderr)  # noqa: T201 - for a person
        return 2
    try:
        settings = read_settings()
    except BadSettings as bad:
        print(f"consumer: {bad}", file=sys.stderr)  # noqa: T201 - one line for a person
        return 2
    log_to_stdout(settings.log_level, runtime=settings.runtime_name)
    try:
        parts = wire(settings)
    except BadModelDir as bad:
        print(f"consumer: {bad}", file=sys.stderr)  # noqa: T201 - one line for a person
        return 2

    def release(job: Job) -> None:
        parts.outcomes.release(job, count_attempt=False)

    def give_all_back() -> list[Callable[[], None]]:
        return [parts.window.release, *(partial(release, job) for job in parts.heartbeat.jobs())]

    replaced = parts.outcomes.measures.replaced
    departure = GracefulShutdown(
        parts.gpu,
        parts.pace,
        leave_seconds=settings.leave_seconds,
        give_all_back=give_all_back,
        on_replace=replaced,
    )
    departure.install()
    log.info("consumer started")
    try:
        Worker(parts, departure.leaving).run()
    except ReplaceEngine as order:
        replaced(str(order))
        log.error("SD Web UI must be replaced", extra={"reason": str(order)})  # noqa: TRY400 - no fault of ours
        return REPLACE_WEBUI
    log.info("consumer left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
