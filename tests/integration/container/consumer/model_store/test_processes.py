"""Consumers that share a volume, and consumers that are killed: real processes, ended by their ids."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

import pytest

from domain.errors import RetryableError
from local.emulator import Emulator
from tests.support.models import CKPT, ModelSetup, checkpoint

BUDGET = 2_500_000
SIZE = 1_000_000

Start = Callable[..., "Child"]


class Child:
    """A process that follows `tests/support/model_fetching_process.py`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout

    def hear(self) -> str:
        """Return its next word."""
        return self._out.readline().strip()

    def notify(self) -> None:
        """Let it go on."""
        self._in.write("\n")
        self._in.flush()


@pytest.fixture
def start(aws: Emulator, model_setup: ModelSetup) -> Iterator[Start]:
    """Start children; those that still run at the end are killed."""
    with ExitStack() as stack:

        def run(mode: str, name: str) -> Child:
            child = Child(stack.enter_context(_child(aws, model_setup, mode, name)))
            assert child.hear() == "ready"
            return child

        yield run


@contextmanager
def _child(aws: Emulator, model_setup: ModelSetup, mode: str, name: str) -> "Iterator[subprocess.Popen[str]]":
    environment = aws.environment() | {
        "MODEL_DIR": str(model_setup.root),
        "MODEL_BUCKET": model_setup.bucket,
        "MODEL_CACHE_BYTES": str(BUDGET),
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


def test_two_consumers_fetch_a_file_once(model_setup: ModelSetup, start: Start) -> None:
    """Both want it at the same moment: one fetches, the other waits, both have it."""
    model_setup.put(f"{CKPT}/m.ckpt", bytes(SIZE))
    children = [start("whole", "m") for _ in range(2)]
    for child in children:
        child.notify()
    assert sorted(child.hear() for child in children) == ["0", "1"]
    assert (model_setup.root / CKPT / "m.ckpt").stat().st_size == SIZE
    assert model_setup.files() == [f"{CKPT}/m.ckpt"]


def test_what_a_killed_process_left_is_gone(model_setup: ModelSetup, start: Start) -> None:
    """Killed with half a file: Web UI never saw it, the next one fetches it whole, nothing stays behind."""
    model_setup.put(f"{CKPT}/m.ckpt", bytes(SIZE))
    model_setup.put(f"{CKPT}/n.ckpt", bytes(SIZE))
    for name in ("m", "n"):
        killed = start("half", name)
        killed.notify()
        assert killed.hear() == "half"
        killed.process.kill()
        killed.process.wait()
    assert not list((model_setup.root / CKPT).iterdir())
    assert len(model_setup.files()) == 2  # the halves, beside
    model_setup.store(budget=BUDGET).ensure(checkpoint("m"))
    # The same file's half and the other one's: both are gone.
    assert model_setup.files() == [f"{CKPT}/m.ckpt"]


def test_a_running_download_keeps_its_room(model_setup: ModelSetup, start: Start) -> None:
    """What another process announced is not given away; when it is killed, it is."""
    for name, size in (("slow", 2_000_000), ("m", SIZE)):
        model_setup.put(f"{CKPT}/{name}.ckpt", bytes(size))
    slow = start("half", "slow")
    slow.notify()
    assert slow.hear() == "half"
    with pytest.raises(RetryableError):
        model_setup.store(budget=BUDGET).activate(checkpoint("m"))
    slow.process.kill()
    slow.process.wait()
    model_setup.store(budget=BUDGET).activate(checkpoint("m"))
    assert model_setup.files() == [f"{CKPT}/m.ckpt"]


def test_a_model_in_use_elsewhere_stays(model_setup: ModelSetup, start: Start) -> None:
    """Until its consumer is done with it, or dead: no lock outlives its process."""
    for name in "ab":
        model_setup.put(f"{CKPT}/{name}.ckpt", bytes(2_000_000))
    user = start("use", "a")
    user.notify()
    assert user.hear() == "1"
    with pytest.raises(RetryableError):
        model_setup.store(budget=BUDGET).activate(checkpoint("b"))
    assert model_setup.files() == [f"{CKPT}/a.ckpt"]
    user.process.kill()
    user.process.wait()
    model_setup.store(budget=BUDGET).activate(checkpoint("b"))
    assert model_setup.files() == [f"{CKPT}/b.ckpt"]
