"""Started processes are stopped, however their owner ends."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.emulator import run_emulator
from local.process import Process, ProcessFailed
from tests.support.processes import EXIT_SECONDS, MARK_VARIABLE, marked_processes, wait_until_all_exited

ROOT = Path(__file__).parents[2]

linux_only = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")


@pytest.fixture
def mark() -> str:
    """Return a word in the environment of a process tree."""
    return secrets.token_hex(8)


@pytest.fixture
def owner(mark: str) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Return a function that starts a Python process, which owns whatever it starts."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | {MARK_VARIABLE: mark, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


OWNER_OF_AN_EMULATOR = """
import signal
from local.emulator import run_emulator
from local.signals import exit_on_signal
exit_on_signal()
with run_emulator() as aws:
    print(aws.port, aws.folder, flush=True)
    signal.pause()
"""


@linux_only
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_process_port_or_file_outlives_its_owner(
    owner: Callable[[str], "subprocess.Popen[str]"], mark: str, how: signal.Signals
) -> None:
    process = owner(OWNER_OF_AN_EMULATOR)
    assert process.stdout is not None
    port, folder = process.stdout.readline().split()
    assert len(marked_processes(mark)) >= 2
    process.send_signal(how)
    process.wait(EXIT_SECONDS)
    wait_until_all_exited(mark)
    assert not Path(folder).exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(port))) != 0


def test_two_emulators_have_separate_ports_state_and_folders() -> None:
    with run_emulator() as one, run_emulator() as two:
        assert one.port != two.port
        assert one.folder != two.folder
        one.client("s3").create_bucket(Bucket="only-here")
        assert [bucket["Name"] for bucket in one.client("s3").list_buckets()["Buckets"]] == ["only-here"]
        assert two.client("s3").list_buckets()["Buckets"] == []


def test_waiting_for_output_of_a_process_that_ended_fails_at_once_with_its_output() -> None:
    with (
        Process("short", [sys.executable, "-c", "print('no luck')"], environment=os.environ) as process,
        pytest.raises(ProcessFailed, match=r"short: ended with status 0\n  short \| no luck"),
    ):
        process.wait_for_line("ready", timeout=60)


@linux_only
def test_a_child_of_a_child_is_stopped_too(mark: str) -> None:
    """Even if it ignores SIGTERM and its parent has ended already."""
    code = (
        "import subprocess, sys, signal; "
        "subprocess.Popen([sys.executable, '-c', \"import signal; signal.signal(15, signal.SIG_IGN); "
        "print('child', flush=True); signal.pause()\"])"
    )
    with Process(
        "parent", [sys.executable, "-c", code], environment=os.environ | {MARK_VARIABLE: mark}
    ) as process:
        process.wait_for_line("child", timeout=60)
        assert marked_processes(mark)
    wait_until_all_exited(mark)
