"""The orderly exit of `make demo` and `make local`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

CLEANS_UP = """
import signal, sys
from local.signals import exit_on_signal
exit_on_signal()
try:
    print("running", flush=True)
    signal.pause()
finally:
    print("cleanup begins", flush=True)
    sys.stdin.readline()
    print("cleanup ends", flush=True)
"""


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_second_signal_does_not_interrupt_the_cleanup(second: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CLEANS_UP],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "cleanup begins\n"
        process.send_signal(second)
        output, _ = process.communicate("\n", timeout=30)
    assert output == "cleanup ends\n"
    assert process.returncode == 128 + signal.SIGTERM
