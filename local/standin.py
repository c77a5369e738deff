"""Start the stand-in SD Web UI for a pipeline."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local.deploy import ROOT
from local.emulator import without_aws
from local.fakes.sdwebui.process import READY, Control
from local.process import Process

READY_SECONDS = 60.0  # 2 s; more on a machine with other things to do


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A running stand-in; `control` switches faults and tells counts."""

    url: str
    control: Control
    process: Process


@contextmanager
def stand_in(*arguments: str) -> Iterator[StandIn]:
    """Run `python -m local.fakes.sdwebui` on a free port until the block ends; arguments are its own."""
    with Process(
        "stand-in",
        [sys.executable, "-m", "local.fakes.sdwebui", "--port", "0", *arguments],
        environment=without_aws(os.environ) | {"PYTHONUNBUFFERED": "1"},
        cwd=str(ROOT),
        stop_seconds=3.0,
    ) as process:
        line = process.wait_for_line(READY, timeout=READY_SECONDS)
        said = dict(part.split("=", 1) for part in line.split() if "=" in part)
        yield StandIn(url=said["url"], control=Control(said["control"]), process=process)
