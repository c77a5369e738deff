"""Start the fake as a process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.fakes.model_file import write_checkpoint
from local.fakes.process import Control, FakeServer, flags_of, start_process
from local.fakes.process import FakeError as FakeWebUiError


class FakeWebUi(FakeServer):
    """A running fake SD Web UI."""


def start(*, port: int = 0, **settings: Any) -> FakeWebUi:
    """Start a fake and wait until it accepts connections, or with `boot_seconds` until it starts to boot.

    `settings` are the command line's options (`step_seconds=0.01`, `model_dir=path`, `api_server_stop=True`,
    `fault=["slow:1"]`). Raise FakeWebUiError when it does not start.
    """
    flags = ["--port", str(port), *flags_of(settings, negative={"web_ui": "--nowebui"})]
    booting = bool(settings.get("boot_seconds"))
    return FakeWebUi(*start_process("fake SD Web UI", "local.fakes.sdwebui", flags, booting=booting))


@contextmanager
def running(*, port: int = 0, **settings: Any) -> Iterator[FakeWebUi]:
    """Run a fake SD Web UI until the block ends; settings as for `start`."""
    fake = start(port=port, **settings)
    try:
        yield fake
    finally:
        fake.stop()


__all__ = ["Control", "FakeWebUi", "FakeWebUiError", "running", "start", "write_checkpoint"]
