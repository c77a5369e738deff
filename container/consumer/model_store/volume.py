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

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_log = logging.getLogger(__name__)


class NoRoom(Exception):
    """A file does not fit; with `permanent`, not even if nothing is in use."""

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

    def names(self, folder: str) -> list[str]:
        """Return the files in a folder, relative to it, however they got there."""
        top = self.root / folder
        if not top.is_dir():
            return []
        walked = (Path(at, name) for at, _, names in os.walk(top, followlinks=True) for name in names)
        return sorted(path.relative_to(top).as_posix() for path in walked)

    def has(self, file: ModelFile) -> bool:
        """Return whether the bucket's current version of the file is completely on the volume."""
        record = self._read(file.key)
        return record is not None and record.etag == file.etag and self._as_recorded(record)

    def touch(self, file: ModelFile) -> None:
        """Record that a file was used just now."""
        with suppress(FileNotFoundError):
            _set_used_at(self._record_path(file.key), time.time_ns())

    def use(self, file: ModelFile) -> Lock | None:
        """Protect a file from eviction until the lock is released; return None while it is being evicted."""
        return Lock.take(self._lock_path(file.key, "use"), shared=True)

    @contextmanager
    def fetching(self, file: ModelFile, *, stop: threading.Event) -> Iterator[Path]:
        """Prevent others from downloading the same file during a `with` block; yield an empty folder for it.

        Whatever a killed process left of the same file is deleted.
        """
        with Lock.wait(self._lock_path(file.key, "fetch"), stop=stop):
            folder = self._incoming / _name(file.key)
            shutil.rmtree(folder, ignore_errors=True)
            try:
                yield folder / "part"
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def reserve(self, file: ModelFile, *, stop: threading.Event, urgent: bool = False) -> None:
        """Make room for a file by evicting the files that were not used for the longest time; raise NoRoom.

        Call it within `fetching`. `urgent` means that the disk was found to be full, whatever the numbers
        say.
        """
        with Lock.wait(self._locks / "volume", stop=stop):
            self._sweep()
            self._make_room(file, urgent=urgent)
            folder = self._incoming / _name(file.key)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "size").write_text(str(file.size))

    def admit(self, file: ModelFile, part: Path, *, checked: str) -> None:
        """Move a complete, verified file to where the engine finds it: first to disk, then to its name."""
        with part.open("rb+") as handle:
            os.fsync(handle.fileno())
        target = self.path(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
        _sync_folder(target.parent)
        self.adopt(file, checked=checked)

    def adopt(self, file: ModelFile, *, checked: str) -> None:
        """Record a file that is in its place and equals the bucket's."""
        mtime = self.path(file).stat().st_mtime_ns
        self._write(Record(file.key, file.size, file.etag, mtime, checked))

    def pin(self, keys: set[str]) -> None:
        """Protect exactly these files from eviction permanently."""
        for record in self._all():
            if record.pinned != (record.key in keys):
                used_ns = self._record_path(record.key).stat().st_mtime_ns
                self._write(replace(record, pinned=record.key in keys), used_ns=used_ns)

    def remove(self, file: ModelFile) -> None:
        """Delete a file."""
        self.path(file).unlink(missing_ok=True)
        self._record_path(file.key).unlink(missing_ok=True)

    def _make_room(self, file: ModelFile, *, urgent: bool) -> None:
        records = [record for record in self._all() if record.key != file.key]
        pinned = sum(record.size for record in records if record.pinned)
        if self._budget is not None and pinned + file.size > self._budget:
            text = (
                f"{file.size:,} bytes, the budget is {self._budget:,}, of which {pinned:,} are never evicted"
            )
            raise NoRoom(text, permanent=True)
        evictable = [record for record in records if not record.pinned]
        missing = max(self._missing(file, records), int(urgent))
        while missing > 0:
            if not evictable:
                in_use = sum(record.size for record in records if not record.pinned)
                text = f"{file.size:,} bytes, {missing:,} too many; {in_use:,} bytes are in use"
                raise NoRoom(text, permanent=in_use == 0 and not self._downloads(except_for=file.key))
            oldest = evictable.pop(0)
            if self._evict(oldest):
                records.remove(oldest)
                missing = self._missing(file, records)

    def _missing(self, file: ModelFile, records: list[Record]) -> int:
        """Return how many bytes too large the file is for the budget or the disk."""
        downloads = self._downloads(except_for=file.key)
        announced = sum(size for size, _ in downloads)
        to_come = sum(max(0, size - there) for size, there in downloads)
        disk = shutil.disk_usage(self.root)
        too_many = [file.size + to_come + min(SPARE_BYTES, disk.total // 20) - disk.free]
        if self._budget is not None:
            too_many.append(sum(r.size for r in records) + announced + file.size - self._budget)
        return max(too_many)

    def _evict(self, record: Record) -> bool:
        lock = Lock.take(self._lock_path(record.key, "use"))
        if lock is None:
            return False
        try:
            (self.root / record.key).unlink(missing_ok=True)
            self._record_path(record.key).unlink(missing_ok=True)
        finally:
            lock.release()
        _log.info("evicted %s (%d bytes): least recently used", record.key, record.size)
        return True

    def _sweep(self) -> None:
        """Delete downloads of processes that have ended, whose locks are free."""
        for folder in self._incoming.iterdir():
            lock = Lock.take(self._locks / f"{folder.name}.fetch")
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                lock.release()

    def _downloads(self, *, except_for: str = "") -> list[tuple[int, int]]:
        """Return the announced size and the size on disk of each running download."""
        found = []
        for folder in self._incoming.iterdir():
            with suppress(OSError, ValueError):
                if folder.name != _name(except_for):
                    size = int((folder / "size").read_text())
                    found.append((size, sum(part.stat().st_blocks * 512 for part in folder.iterdir())))
        return found

    def _all(self) -> list[Record]:
        """Return the records of the files that exist, least recently used first."""
        aged = []
        for path in self._records.iterdir():
            with suppress(OSError, ValueError, TypeError):
                record = Record(**json.loads(path.read_bytes()))
                if (self.root / record.key).exists():
                    aged.append((path.stat().st_mtime_ns, record))
        return [record for _, record in sorted(aged, key=lambda pair: pair[0])]

    def _as_recorded(self, record: Record) -> bool:
        try:
            stat = (self.root / record.key).stat()
        except OSError:
            return False
        return stat.st_size == record.size and stat.st_mtime_ns == record.mtime_ns

    def _read(self, key: str) -> Record | None:
        try:
            return Record(**json.loads(self._record_path(key).read_bytes()))
        except (OSError, ValueError, TypeError):  # none, or half written when the machine went down
            return None

    def _write(self, record: Record, *, used_ns: int | None = None) -> None:
        path = self._record_path(record.key)
        beside = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        beside.write_text(json.dumps(asdict(record)))
        _set_used_at(beside, time.time_ns() if used_ns is None else used_ns)
        beside.replace(path)

    def _record_path(self, key: str) -> Path:
        return self._records / f"{_name(key)}.json"

    def _lock_path(self, key: str, purpose: str) -> Path:
        return self._locks / f"{_name(key)}.{purpose}"


def _name(key: str) -> str:
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
