from container.consumer.engines.registry import ENGINES
from infra.runtime_types.registry import RUNTIME_TYPES as DEPLOYED
from local.fakes.registry import FAKES
from runtimes.registry import RUNTIME_TYPES


def test_the_registries_know_the_same_runtime_types() -> None:
    assert ENGINES.keys() == RUNTIME_TYPES.keys()
    assert DEPLOYED.keys() == RUNTIME_TYPES.keys()
    assert FAKES.keys() == RUNTIME_TYPES.keys()


def test_every_runtime_type_is_registered_by_its_own_name() -> None:
    assert {name: one.name for name, one in RUNTIME_TYPES.items()} == {name: name for name in RUNTIME_TYPES}
    names = {name: settings.model_fields["type"].default for name, settings in DEPLOYED.items()}
    assert names == {name: name for name in DEPLOYED}
