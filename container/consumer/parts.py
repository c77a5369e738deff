"""What the worker is made of."""

from dataclasses import dataclass

from container.consumer.gpu import Gpu
from container.consumer.heartbeat import Heartbeat
from container.consumer.intake import Intake
from container.consumer.outcomes import Outcomes
from container.consumer.pace import Pace
from container.consumer.ports import Callbacks, State
from container.consumer.preparation import Preparation
from container.consumer.protection import Protection
from container.consumer.pulse import Pulse
from container.consumer.store import Store
from container.consumer.webui.client import WebUi
from container.consumer.webui.health import Health
from container.consumer.window import Window


@dataclass(slots=True)
class Parts:
    """Hold what the worker is made of; the entry point wires it."""

    webui: WebUi
    gpu: Gpu
    health: Health
    protection: Protection
    pace: Pace
    window: Window
    intake: Intake
    preparation: Preparation
    store: Store
    outcomes: Outcomes
    heartbeat: Heartbeat
    state: State
    callbacks: Callbacks
    lease_seconds: int
    prefetch: int
    pulse: Pulse
    notify_running: bool = False
