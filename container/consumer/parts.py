"""What the worker is made of."""

from collections.abc import Callable
from dataclasses import dataclass

from adapters.table import Table
from container.consumer.engines.gpu import Gpu
from container.consumer.engines.sdwebui.client import WebUi
from container.consumer.engines.sdwebui.health import Health
from container.consumer.lifecycle.claim import Claimer
from container.consumer.lifecycle.finish import Finisher
from container.consumer.lifecycle.outputs import Store
from container.consumer.lifecycle.prepare import Preparation
from container.consumer.liveness.heartbeat import Heartbeat
from container.consumer.liveness.scale_in_protection import Protection
from container.consumer.ports import Callbacks
from container.consumer.scheduling.batching import CheckpointBatcher
from container.consumer.scheduling.duration import DurationEstimator
from container.consumer.telemetry.worker_metrics import WorkerMetrics


@dataclass(slots=True)
class Parts:
    """Hold what the worker is made of; the entry point wires it."""

    webui: WebUi
    gpu: Gpu
    health: Health
    protection: Protection
    pace: DurationEstimator
    window: CheckpointBatcher
    intake: Claimer
    preparation: Preparation
    store: Store
    outcomes: Finisher
    heartbeat: Heartbeat
    table: Table
    callbacks: Callbacks
    lease_seconds: int
    prefetch: int
    pulse: WorkerMetrics
    sign_off: Callable[[], None]
    """Say that this worker is gone, so that nobody counts it."""
    notify_running: bool = False
