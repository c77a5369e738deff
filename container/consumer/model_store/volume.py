"""The volume that the engine reads models from: complete files only, within a budget of bytes.

Several consumers may share it. Their common state is beside the models in `.sd-on-ecs`: for each file a
record and two locks (one for the process that downloads it, one for those that use it), and incomplete
downloads.
"""

import errno
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from container.consumer.model_store.bucket import ModelFile
from container.consumer.model_store.locks import Lock

STATE_FOLDER: Final = ".sd-on-ecs"
"""A folder that the engine does not read; on the same file system, so that it only sees a rename."""

SPARE_BYTES: Final = 2 * 1024**3
"""Left free on the disk (5 % of a small one), because the disk also has temporary files of both
containers."""

DISK_FULL_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_log = logging.getLogger(__name__)


class VolumeTooSmall(Exception):
    """There is no room for a file; with `permanent`, there would not be even if no other file were in use."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Record:
    """A complete file: its version in the bucket, and its state on the volume at that time."""

    key: str
    size: int
    etag: str
    mtime_ns: int
    checked: str
    pinned: bool = False
    """Never evicted: the runtime's own models, and files that the engine reads only at its start."""


class Volume:
    """Keeps models below `root`; with `budget_bytes` None, the size of the disk is the limit."""

    def __init__(self, root: Path, *, budget_bytes: int | None = None) -> None:
        self.root = root
        self._budget = budget_bytes
        self._state = root / STATE_FOLDER
        self._records = self._state / "records"
        self._incoming = self._state / "incoming"
        self._locks = self._state / "locks"
        for folder in (self._records, self._incoming, self._locks):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, file: ModelFile) -> Path:
        """Return the path at which the engine finds a file."""
        return self.root / file.folder / file.name

    def file_names(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder, relative to it, also of files without a record."""
        folder_path = self.root / folder
        if not folder_path.is_dir():
            return []
        paths = (
            Path(parent, name)
            for parent, _, names in os.walk(folder_path, followlinks=True)
            for name in names
        )
        return sorted(path.relative_to(folder_path).as_posix() for path in paths)

    def has(self, file: ModelFile) -> bool:
        """Return whether the bucket's current version of the file is completely on the volume."""
        record = self._read_record(file.key)
        return record is not None and record.etag == file.etag and self._is_unchanged(record)

    def touch(self, file: ModelFile) -> None:
        """Record that a file was used just now."""
        with suppress(FileNotFoundError):
            _set_used_at(self._record_path(file.key), time.time_ns())

    def lock_against_eviction(self, file: ModelFile) -> Lock | None:
        """Protect a file from eviction until the lock is released; return None while it is being evicted."""
        return Lock.try_acquire(self._lock_path(file.key, "use"), shared=True)

    @contextmanager
    def download_path(self, file: ModelFile, *, stop: threading.Event) -> Iterator[Path]:
        """Prevent others from downloading a file during a `with` block; yield the path to download it to.

        Remains of an earlier download of the same file are deleted.
        """
        with Lock.acquire_when_free(self._lock_path(file.key, "fetch"), stop=stop):
            folder = self._incoming / _state_name(file.key)
            shutil.rmtree(folder, ignore_errors=True)
            try:
                yield folder / "part"
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def reserve(self, file: ModelFile, *, stop: threading.Event, disk_is_full: bool = False) -> None:
        """Make room for a file by evicting the least recently used ones; raise VolumeTooSmall.

        Call it within `download_path`. `disk_is_full` evicts at least one file, whatever the disk
        reports, because a write has just failed.
        """
        with Lock.acquire_when_free(self._locks / "volume", stop=stop):
            self._delete_abandoned_downloads()
            self._make_room(file, disk_is_full=disk_is_full)
            folder = self._incoming / _state_name(file.key)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "size").write_text(str(file.size))

    def install(self, file: ModelFile, part: Path, *, checked: str) -> None:
        """Flush a complete, verified file to disk, and then move it to where the engine finds it."""
        with part.open("rb+") as handle:
            os.fsync(handle.fileno())
        target = self.path(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
        _sync_folder(target.parent)
        self.record_existing(file, checked=checked)

    def record_existing(self, file: ModelFile, *, checked: str) -> None:
        """Record a file that is already at its path and equals the bucket's."""
        mtime = self.path(file).stat().st_mtime_ns
        self._write_record(Record(file.key, file.size, file.etag, mtime, checked))

    def pin(self, keys: set[str]) -> None:
        """Protect the files with these keys from eviction until the next call, which replaces them."""
        for record in self._existing_records():
            if record.pinned != (record.key in keys):
                used_ns = self._record_path(record.key).stat().st_mtime_ns
                self._write_record(replace(record, pinned=record.key in keys), used_ns=used_ns)

    def remove(self, file: ModelFile) -> None:
        """Delete a file."""
        self.path(file).unlink(missing_ok=True)
        self._record_path(file.key).unlink(missing_ok=True)

    def _make_room(self, file: ModelFile, *, disk_is_full: bool) -> None:
        records = [record for record in self._existing_records() if record.key != file.key]
        pinned = sum(record.size for record in records if record.pinned)
        if self._budget is not None and pinned + file.size > self._budget:
            text = (
                f"{file.size:,} bytes, the budget is {self._budget:,}, of which {pinned:,} are never evicted"
            )
            raise VolumeTooSmall(text, permanent=True)
        evictable = [record for record in records if not record.pinned]
        excess = max(self._excess_bytes(file, records), int(disk_is_full))
        while excess > 0:
            if not evictable:
                in_use = sum(record.size for record in records if not record.pinned)
                text = f"{file.size:,} bytes, {excess:,} too many; {in_use:,} bytes are in use"
                raise VolumeTooSmall(text, permanent=in_use == 0 and not self._downloads(except_for=file.key))
            oldest = evictable.pop(0)
            if self._evict(oldest):
                records.remove(oldest)
                excess = self._excess_bytes(file, records)

    def _excess_bytes(self, file: ModelFile, records: list[Record]) -> int:
        """Return how many bytes too large the file is for the budget or the disk."""
        downloads = self._downloads(except_for=file.key)
        reserved = sum(size for size, _ in downloads)
        still_to_download = sum(max(0, size - present) for size, present in downloads)
        disk = shutil.disk_usage(self.root)
        excess = [file.size + still_to_download + min(SPARE_BYTES, disk.total // 20) - disk.free]
        if self._budget is not None:
            excess.append(sum(record.size for record in records) + reserved + file.size - self._budget)
        return max(excess)

    def _evict(self, record: Record) -> bool:
        lock = Lock.try_acquire(self._lock_path(record.key, "use"))
        if lock is None:
            return False
        try:
            (self.root / record.key).unlink(missing_ok=True)
            self._record_path(record.key).unlink(missing_ok=True)
        finally:
            lock.release()
        _log.info("evicted %s (%d bytes): least recently used", record.key, record.size)
        return True

    def _delete_abandoned_downloads(self) -> None:
        """Delete the incomplete downloads of processes that have ended: their locks are free."""
        for folder in self._incoming.iterdir():
            lock = Lock.try_acquire(self._locks / f"{folder.name}.fetch")
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                lock.release()

    def _downloads(self, *, except_for: str = "") -> list[tuple[int, int]]:
        """Return the announced size and the size on disk of each running download."""
        downloads = []
        for folder in self._incoming.iterdir():
            with suppress(OSError, ValueError):
                if folder.name != _state_name(except_for):
                    size = int((folder / "size").read_text())
                    downloads.append((size, sum(part.stat().st_blocks * 512 for part in folder.iterdir())))
        return downloads

    def _existing_records(self) -> list[Record]:
        """Return the records of the files that exist, least recently used first."""
        records_by_use = []
        for path in self._records.iterdir():
            with suppress(OSError, ValueError, TypeError):
                record = Record(**json.loads(path.read_bytes()))
                if (self.root / record.key).exists():
                    records_by_use.append((path.stat().st_mtime_ns, record))
        return [record for _, record in sorted(records_by_use, key=lambda pair: pair[0])]

    def _is_unchanged(self, record: Record) -> bool:
        try:
            stat = (self.root / record.key).stat()
        except OSError:
            return False
        return stat.st_size == record.size and stat.st_mtime_ns == record.mtime_ns

    def _read_record(self, key: str) -> Record | None:
        try:
            return Record(**json.loads(self._record_path(key).read_bytes()))
        except (OSError, ValueError, TypeError):  # none, or half written when the machine went down
            return None

    def _write_record(self, record: Record, *, used_ns: int | None = None) -> None:
        path = self._record_path(record.key)
        temporary = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        temporary.write_text(json.dumps(asdict(record)))
        _set_used_at(temporary, time.time_ns() if used_ns is None else used_ns)
        temporary.replace(path)

    def _record_path(self, key: str) -> Path:
        return self._records / f"{_state_name(key)}.json"

    def _lock_path(self, key: str, purpose: str) -> Path:
        return self._locks / f"{_state_name(key)}.{purpose}"


def _state_name(key: str) -> str:
    """Return a file name for a key, which may contain slashes and be longer than a file name can be."""
    return sha256(key.encode()).hexdigest()[:32]


def _set_used_at(path: Path, ns: int) -> None:
    """Record a time of use; the clock of the file system is too coarse to distinguish two uses."""
    os.utime(path, ns=(ns, ns))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
