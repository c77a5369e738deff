"""Consumers that share a volume, and consumers that are killed, as real processes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

import pytest

from domain.errors import RetryableError
from local.emulator import Emulator
from tests.support.models import CKPT, ModelSetup, checkpoint

BUDGET_BYTES = 2_500_000
MODEL_BYTES = 1_000_000

Start = Callable[..., "Child"]


class Child:
    """A process that follows `tests/support/model_fetching_process.py`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout

    def read_word(self) -> str:
        """Return the next word that it prints."""
        return self._out.readline().strip()

    def send_line(self) -> None:
        """Send the line for which it waits."""
        self._in.write("\n")
        self._in.flush()


@pytest.fixture
def start(aws: Emulator, model_setup: ModelSetup) -> Iterator[Start]:
    """Return a function that starts children; those that still run at the end are killed."""
    with ExitStack() as stack:

        def run(mode: str, name: str) -> Child:
            child = Child(stack.enter_context(_child(aws, model_setup, mode, name)))
            assert child.read_word() == "ready"
            return child

        yield run


@contextmanager
def _child(aws: Emulator, model_setup: ModelSetup, mode: str, name: str) -> "Iterator[subprocess.Popen[str]]":
    environment = aws.environment() | {
        "MODEL_DIR": str(model_setup.root),
        "MODEL_BUCKET": model_setup.bucket,
        "MODEL_CACHE_BYTES": str(BUDGET_BYTES),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.model_fetching_process", mode, name],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_two_consumers_download_a_file_once(model_setup: ModelSetup, start: Start) -> None:
    model_setup.put(f"{CKPT}/m.ckpt", bytes(MODEL_BYTES))
    children = [start("whole", "m") for _ in range(2)]
    for child in children:
        child.send_line()
    assert sorted(child.read_word() for child in children) == ["0", "1"]
    assert (model_setup.root / CKPT / "m.ckpt").stat().st_size == MODEL_BYTES
    assert model_setup.files() == [f"{CKPT}/m.ckpt"]


def test_an_incomplete_download_of_a_killed_process_is_deleted(model_setup: ModelSetup, start: Start) -> None:
    model_setup.put(f"{CKPT}/m.ckpt", bytes(MODEL_BYTES))
    model_setup.put(f"{CKPT}/n.ckpt", bytes(MODEL_BYTES))
    for name in ("m", "n"):
        killed = start("half", name)
        killed.send_line()
        assert killed.read_word() == "half"
        killed.process.kill()
        killed.process.wait()
    assert not list((model_setup.root / CKPT).iterdir())
    assert len(model_setup.files()) == 2  # the incomplete downloads are beside the models
    model_setup.store(budget=BUDGET_BYTES).ensure(checkpoint("m"))
    # Both incomplete downloads were deleted: that of the same file, and that of another.
    assert model_setup.files() == [f"{CKPT}/m.ckpt"]


def test_the_space_of_a_running_download_is_reserved_until_it_is_killed(
    model_setup: ModelSetup, start: Start
) -> None:
    for name, size in (("slow", 2_000_000), ("m", MODEL_BYTES)):
        model_setup.put(f"{CKPT}/{name}.ckpt", bytes(size))
    slow = start("half", "slow")
    slow.send_line()
    assert slow.read_word() == "half"
    with pytest.raises(RetryableError):
        model_setup.store(budget=BUDGET_BYTES).activate(checkpoint("m"))
    slow.process.kill()
    slow.process.wait()
    model_setup.store(budget=BUDGET_BYTES).activate(checkpoint("m"))
    assert model_setup.files() == [f"{CKPT}/m.ckpt"]


def test_a_model_that_another_process_uses_is_not_evicted_until_the_process_ends(
    model_setup: ModelSetup, start: Start
) -> None:
    for name in "ab":
        model_setup.put(f"{CKPT}/{name}.ckpt", bytes(2_000_000))
    model_user = start("use", "a")
    model_user.send_line()
    assert model_user.read_word() == "1"
    with pytest.raises(RetryableError):
        model_setup.store(budget=BUDGET_BYTES).activate(checkpoint("b"))
    assert model_setup.files() == [f"{CKPT}/a.ckpt"]
    model_user.process.kill()
    model_user.process.wait()
    model_setup.store(budget=BUDGET_BYTES).activate(checkpoint("b"))
    assert model_setup.files() == [f"{CKPT}/b.ckpt"]
