"""AWS on this machine: ministack in a child process, on a free port of the loopback interface."""

import json
import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.credentials import Credentials

from local.process import Process, ProcessFailed, free_port
from local.watchdog import watchdog

if TYPE_CHECKING:
    from botocore.client import BaseClient

REGION = "us-east-1"
ACCOUNT = "000000000000"
READY_SECONDS = 30.0  # usually 0.5 s, up to 5 s on a busy machine with cold caches
POLL_SECONDS = 0.02
STOP_SECONDS = 1.0  # short, because it keeps its state in memory and has nothing to save


class Emulator:
    """A running emulator: its address, its process, and clients for it. `folder` is for temporary files."""

    def __init__(self, endpoint_url: str, process: Process, folder: Path) -> None:
        self.endpoint_url = endpoint_url
        self.process = process
        self.folder = folder
        self._create_client_lock = threading.Lock()
        # A separate session, because boto3's default session would use the user's profile.
        self._session = boto3.session.Session(
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name=REGION,
        )

    @property
    def port(self) -> int:
        """The port that the emulator listens on."""
        return int(self.endpoint_url.rsplit(":", 1)[1])

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return `base` (by default os.environ), so that boto3 and the CDK CLI reach only the emulator."""
        return {
            **remove_aws_variables(os.environ if base is None else base),
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @property
    def credentials(self) -> Credentials:
        """Return the credentials that the emulator's clients use."""
        credentials = self._session.get_credentials()
        if credentials is None:
            raise AssertionError("the session was created with credentials")
        return credentials

    def client(self, service: str, **config: Any) -> Any:
        """Create a boto3 client for the emulator; keyword arguments are those of botocore's `Config`."""
        with self._create_client_lock:  # creating clients from a boto3 session is not thread-safe
            client: BaseClient = self._session.client(
                service,
                endpoint_url=self.endpoint_url,
                config=Config(**{"retries": {"total_max_attempts": 2}, **config}),
            )
            return client


def remove_aws_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that select an AWS account or an HTTP proxy."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("AWS_") and name.lower() not in {"http_proxy", "https_proxy", "all_proxy"}
    }


@contextmanager
def run_emulator() -> Iterator[Emulator]:
    """Run ministack inside a `with` block.

    State is kept in memory and temporary files in a folder of this run, so that concurrent runs do not
    interfere.
    """
    with tempfile.TemporaryDirectory(prefix="sd-on-ecs-emulator-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        watchdog.watch_folder(folder)
        with _run_in(folder) as emulator:
            yield emulator


@contextmanager
def _run_in(folder: Path) -> Iterator[Emulator]:
    process, port = _start_process(folder)
    with process:
        _wait_until_healthy(process, port)
        yield Emulator(f"http://127.0.0.1:{port}", process, folder)


def _start_process(folder: Path, attempts: int = 3) -> tuple[Process, int]:
    """Start ministack on a free port; try another port if some other process takes it in between."""
    port = free_port()
    process = Process(
        "ministack",
        [sys.executable, "-m", "ministack"],
        environment=_environment(port, folder),
        stop_seconds=STOP_SECONDS,
    )
    try:
        # Waits for output of this process, because a response on the port might come from another run.
        process.wait_for_line("Running on", timeout=READY_SECONDS)
    except ProcessFailed:
        is_port_taken = any("already in use" in line for line in process.lines())
        process.stop()
        if is_port_taken and attempts > 1:
            return _start_process(folder, attempts - 1)
        raise
    except BaseException:
        process.stop()
        raise
    return process, port


def _environment(port: int, folder: Path) -> dict[str, str]:
    return {
        **remove_aws_variables(os.environ),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",  # host in the URLs that it returns
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "TMPDIR": str(folder),
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "LAMBDA_EXECUTOR": "local",
        # A socket that does not exist, because ministack would look for containers of other runs and remove
        # them.
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
        # Listeners on fixed ports that are not needed here.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _wait_until_healthy(process: Process, port: int) -> None:
    url = f"http://127.0.0.1:{port}/_ministack/health"
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                json.load(response)
                return
        except (OSError, ValueError) as error:
            if process.returncode is not None or time.monotonic() > deadline:
                raise ProcessFailed(f"ministack does not respond: {error}\n{process.tail()}") from error
            time.sleep(POLL_SECONDS)
