"""A worker notices a signal whatever its main thread does."""

import select
import signal
import subprocess
import sys

NOTICE_SECONDS = 10

PROGRAM = """
import hashlib, threading
from types import SimpleNamespace
from container.consumer.shutdown import GracefulShutdown

shutting_down = threading.Event()
durations = SimpleNamespace(observed_remaining=lambda: 0.0)
runner = SimpleNamespace(prepare_shutdown=lambda: None, running_job=None)
GracefulShutdown(runner, durations, None, shutting_down, shutdown_seconds=60).install()
threading.Thread(target=lambda: (shutting_down.wait(), print("noticed", flush=True)), daemon=True).start()
print("ready", flush=True)
hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # does not return to the interpreter for some minutes
"""


def test_a_signal_is_noticed_while_the_main_thread_does_not_run_python() -> None:
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        noticed, _, _ = select.select([process.stdout], [], [], NOTICE_SECONDS)
        process.kill()
        assert noticed
        assert process.stdout.readline() == "noticed\n"
