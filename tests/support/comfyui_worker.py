"""`python -m tests.support.comfyui_worker`: a consumer of a runtime of type `comfyui`."""

import sys

from container.consumer.__main__ import SWITCH_SECONDS
from container.consumer.composition import Engines, compose
from container.consumer.engines.base import ReplaceEngine
from container.consumer.engines.comfyui.build import build_comfyui
from container.consumer.engines.registry import ENGINES
from container.consumer.settings import read_settings
from runtimes.comfyui.runtime_type import ComfyUi
from runtimes.registry import RUNTIME_TYPES, RuntimeTypes

TYPES: RuntimeTypes = {**RUNTIME_TYPES, "comfyui": ComfyUi()}
ENGINES_TOO: Engines = {**ENGINES, "comfyui": build_comfyui}

if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_SECONDS)
    consumer = compose(read_settings(), engines=ENGINES_TOO, runtime_types=TYPES)
    consumer.shutdown.install()
    try:
        consumer.worker.run()
    except ReplaceEngine as error:
        print(f"replace: {error}", flush=True)
        sys.exit(1)
