"""`python -m tests.support.toy`: a consumer with the toy registered like any other type."""

from container.consumer.composition import compose
from container.consumer.engines.registry import ENGINES
from container.consumer.settings import read_settings
from runtimes.registry import RUNTIME_TYPES
from tests.support.toy.engine import ToyEngine
from tests.support.toy.runtime_type import ToyType

consumer = compose(
    read_settings(),
    engines={**ENGINES, "toy": ToyEngine},
    runtime_types={**RUNTIME_TYPES, "toy": ToyType()},
)
consumer.shutdown.install()
consumer.worker.run()
