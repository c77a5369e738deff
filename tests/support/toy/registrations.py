"""The registrations of the toy: one for each deployable, and no other."""

from typing import Final

from container.consumer.composition import Engines
from container.consumer.engines.registry import ENGINES
from infra.runtime_types.registry import RUNTIME_TYPES as DEPLOYED_TYPES
from infra.runtime_types.registry import RuntimeTypes as DeployedTypes
from runtimes.registry import RUNTIME_TYPES, RuntimeTypes
from tests.support.toy.deployment import Toy
from tests.support.toy.engine import build_toy
from tests.support.toy.runtime_type import ToyType

RULES: Final[RuntimeTypes] = {**RUNTIME_TYPES, "toy": ToyType()}
WORKER: Final[Engines] = {**ENGINES, "toy": build_toy}
DEPLOYED: Final[DeployedTypes] = {**DEPLOYED_TYPES, "toy": Toy}
