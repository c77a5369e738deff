from domain.routing import Runtime
from local.fakes.registry import FAKES
from local.pipeline import runtimes_with_workers
from local.serve import real_engines

RUNTIMES = [Runtime(name="a", type="x"), Runtime(name="b", type="x"), Runtime(name="c", type="y")]


def names(*, named: list[str] | None = None, real: tuple[str, ...] = ()) -> list[str]:
    urls = {one: f"http://{one}:1" for one in real}
    return [one.name for one in runtimes_with_workers(RUNTIMES, named, urls)]


def test_every_runtime_gets_a_worker_with_a_fake_engine() -> None:
    assert names() == ["a", "b", "c"]
    assert names(named=[]) == []
    assert names(named=["b"]) == ["b"]


def test_only_one_runtime_uses_a_real_engine_and_other_types_keep_their_fakes() -> None:
    assert names(real=("x",)) == ["a", "c"]
    assert names(real=("y",)) == ["a", "b", "c"]
    assert names(named=["b"], real=("x",)) == ["b"]


def test_the_variable_of_a_real_engine_is_named_after_its_type() -> None:
    kind = next(iter(FAKES))
    assert real_engines({f"{kind.upper()}_URL": "http://gpu:1", "OTHER_URL": "http://x"}) == {
        kind: "http://gpu:1"
    }
    assert real_engines({f"{kind.upper()}_URL": ""}) == {}
