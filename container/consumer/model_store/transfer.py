"""Download an object from S3 in parallel parts, with the CRT if it is available."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.subscribers import BaseSubscriber

from container.consumer.model_store.bucket import bucket_error
from container.consumer.model_store.locks import Stopped
from container.consumer.model_store.volume import DISK_FULL_ERRNOS
from domain.errors import ErrorCode, RetryableError

try:
    from awscrt.exceptions import AwsCrtError
    from s3transfer.crt import (
        BotocoreCRTCredentialsWrapper,
        BotocoreCRTRequestSerializer,
        CRTTransferManager,
        create_s3_crt_client,
    )

    HAS_CRT = True
except ImportError:
    HAS_CRT = False

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from mypy_boto3_s3 import S3Client

PART_BYTES: Final = 8 * 1024 * 1024
CLASSIC_THREADS: Final = 16
"""Parallel parts without the CRT; fewer already reach about 1 GB/s, Python's limit on one core."""

STOP_POLL_SECONDS: Final = 0.5
_CRT_DISK_FULL: Final = frozenset(
    {"AWS_ERROR_NO_SPACE", "AWS_ERROR_FILE_WRITE_FAILURE", "AWS_ERROR_MAX_FDS_EXCEEDED"}
)
_CRT_WRITE_FAILED: Final = -1
"""What the CRT reports if a write to the file fails (seen with a full disk and with a quota)."""

_log = logging.getLogger(__name__)


class DiskFull(Exception):
    """The disk or a quota accepts no more bytes."""


class Transfer(Protocol):
    """Downloads objects."""

    def fetch(
        self, bucket: str, key: str, to: Path, *, on_bytes: Callable[[int], None], stop: threading.Event
    ) -> None:
        """Download an object to a path; raise NotInBucket, DiskFull, Stopped or RetryableError."""


class S3Transfer:
    """Downloads with boto3's transfer manager; can be used from several threads.

    boto3's own switch to the CRT (`preferred_transfer_client`) ignores the client's endpoint and works in
    only one process per machine, so the manager is created here from the same components. It needs the
    session's `credentials`. Python's threads are used instead if there are no credentials, on a platform
    without the CRT, and after a download that failed with the CRT but succeeded with the threads.
    """

    def __init__(self, s3: "S3Client", *, credentials: "Credentials | None" = None) -> None:
        self._crt = _crt_manager(s3, credentials) if HAS_CRT and credentials is not None else None
        self._threads = create_transfer_manager(
            s3,
            TransferConfig(
                preferred_transfer_client="classic",
                multipart_chunksize=PART_BYTES,
                max_concurrency=CLASSIC_THREADS,
            ),
        )

    @property
    def uses_crt(self) -> bool:
        """Return whether the CRT is used."""
        return self._crt is not None

    def fetch(
        self, bucket: str, key: str, to: Path, *, on_bytes: Callable[[int], None], stop: threading.Event
    ) -> None:
        """Download an object to a path; raise NotInBucket, DiskFull, Stopped or RetryableError."""
        crt = self._crt
        if crt is not None:
            try:
                _download(crt, bucket, key, to, on_bytes=on_bytes, stop=stop)
            except RetryableError as fault:
                # The CRT does not follow redirects to another region, for example, so botocore is tried too.
                _log.warning("the CRT failed to download %s: %s", key, fault.message)
            else:
                return
        _download(self._threads, bucket, key, to, on_bytes=on_bytes, stop=stop)
        if crt is not None:
            _log.warning(
                "models are downloaded by boto3's threads from now on: they succeeded where the CRT failed"
            )
            self._crt = None


def _download(
    manager: Any, bucket: str, key: str, to: Path, *, on_bytes: Callable[[int], None], stop: threading.Event
) -> None:
    progress = _Progress(on_bytes)
    try:
        future = manager.download(bucket, key, str(to), subscribers=[progress])
        while not progress.done.wait(STOP_POLL_SECONDS):
            if stop.is_set():
                future.cancel()
        future.result()
    except Exception as error:
        if stop.is_set():
            raise Stopped from None
        raise _translate_error(error) from error


class _Progress(BaseSubscriber):
    def __init__(self, on_bytes: Callable[[int], None]) -> None:
        self.done = threading.Event()
        self._on_bytes = on_bytes

    def on_progress(self, future: Any, bytes_transferred: int, **_: Any) -> None:
        self._on_bytes(bytes_transferred)

    def on_done(self, future: Any, **_: Any) -> None:
        self.done.set()


def _translate_error(error: Exception) -> Exception:
    if isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS:
        return DiskFull()
    if isinstance(error, ClientError | BotoCoreError):
        return bucket_error(error)
    if (
        HAS_CRT
        and isinstance(error, AwsCrtError)
        and (error.name in _CRT_DISK_FULL or error.code == _CRT_WRITE_FAILED)
    ):
        return DiskFull()
    name = getattr(error, "name", "") or type(error).__name__
    return RetryableError(ErrorCode.AWS_UNAVAILABLE, f"The download from the model bucket failed: {name}.")


def _crt_manager(s3: "S3Client", credentials: "Credentials") -> Any:
    """Return a manager on the CRT with the client's endpoint; a task role's credentials renew themselves."""
    import botocore.session  # noqa: PLC0415 - only the CRT needs a serializer of its own

    region, endpoint = s3.meta.region_name, s3.meta.endpoint_url
    serializer = BotocoreCRTRequestSerializer(
        botocore.session.get_session(), {"region_name": region, "endpoint_url": endpoint}
    )
    client = create_s3_crt_client(
        region,
        crt_credentials_provider=BotocoreCRTCredentialsWrapper(credentials).to_crt_credentials_provider(),
        part_size=PART_BYTES,
        use_ssl=endpoint.startswith("https:"),
    )
    _log.debug("models are fetched by the CRT from %s", endpoint)
    return CRTTransferManager(client, serializer)
