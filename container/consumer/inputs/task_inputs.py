"""Load the inputs of a task: download links and decode inline images."""

import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from adapters.public_http.allowance import Allowance
from adapters.public_http.errors import InputError, InputsStopped
from container.consumer.inputs.fetch import DEFAULT_LIMITS as INLINE_LIMITS
from container.consumer.inputs.fetch import Fetched
from container.consumer.inputs.images import Sniffed
from container.consumer.inputs.inline import read_inline
from container.consumer.inputs.limits import Limits as FetchLimits
from domain.errors import ErrorCode, PermanentError
from domain.limits import DEFAULT_LIMITS, Limits
from runtimes.base import InputRef

PARALLEL_FETCHES: Final = 4
"""Enough to hide one slow server; each may take 32 MiB of memory."""

TASK_SECONDS: Final = 90.0
"""For all links of a task together: a slow server has its 60 s, and links that wait for it have half a
minute. A task that takes longer would block one of the few places before the GPU."""

CHECK_SECONDS: Final = 0.2
"""How often to check whether the task still needs its inputs."""


class Fetcher(Protocol):
    """Downloads what a link points to."""

    def fetch(self, link: str, allowance: Allowance) -> Fetched:
        """Return the image, or raise InputError."""


class TaskInputs:
    """Loads a task's inputs for any engine; can be used from several threads."""

    def __init__(
        self,
        links: Fetcher,
        limits: Limits = DEFAULT_LIMITS,
        *,
        task_seconds: float = TASK_SECONDS,
        inline: FetchLimits = INLINE_LIMITS,
    ) -> None:
        """Load by `links` and, for inline data, within `inline`."""
        self._inline = inline
        self._links = links
        self._limits = limits
        self._task_seconds = task_seconds

    def fetch(
        self, references: Iterable[InputRef], stopped: Callable[[], bool] = lambda: False
    ) -> dict[str, Fetched]:
        """Return each input by its JSON pointer; raise InputError for the first one that is unavailable.

        Raise InputsStopped soon after `stopped` returns True. In that case, and after a failure, nothing is
        waited for: connections are closed, and downloads that have not started never do.
        """
        all_references = list(references)
        allowance = Allowance(
            max_bytes=self._limits.input_bytes,
            max_pixels=self._limits.input_pixels,
            max_video_pixels=self._limits.video_pixels,
            seconds=self._task_seconds,
        )
        links = [reference for reference in all_references if reference.is_link]
        if len(links) > self._limits.links:
            text = f"A task may name at most {self._limits.links} links."
            raise PermanentError(ErrorCode.INVALID_CONTENT, text)
        inputs = {
            reference.path: _decode_inline(reference, allowance, self._inline)
            for reference in all_references
            if not reference.is_link
        }
        if links:
            fetched = _Fetches(self._links, links, allowance).run(stopped)
            inputs |= {link.path: fetched[link.value] for link in links}
        return inputs


def _decode_inline(reference: InputRef, allowance: Allowance, limits: FetchLimits) -> Fetched:
    try:
        fetched = read_inline(reference.value, limits)
        allowance.count_bytes(len(fetched.data))
        _count_pixels(allowance, fetched.file_type, 1)
    except InputError as error:
        raise error.at(reference.path) from None
    return fetched


def _count_pixels(allowance: Allowance, found: Sniffed, times: int) -> None:
    if found.frames is None:
        allowance.count_pixels(found.pixels * times)
    else:
        allowance.count_video_pixels(found.pixels * found.frames * times)


class _Fetches:
    """Downloads the links of one task, each once, a few at a time."""

    def __init__(self, links: Fetcher, references: list[InputRef], allowance: Allowance) -> None:
        self._links = links
        self._allowance = allowance
        self._paths: dict[str, str] = {}  # the first place of each link
        for reference in references:
            self._paths.setdefault(reference.value, reference.path)
        self._times = Counter(reference.value for reference in references)
        self._waiting = deque(self._paths)
        self._results: queue.SimpleQueue[tuple[str, Fetched | Exception]] = queue.SimpleQueue()

    def run(self, stopped: Callable[[], bool]) -> dict[str, Fetched]:
        """Return the image behind each link."""
        fetched: dict[str, Fetched] = {}
        # Daemon threads: one that waits for a resolver or a handshake ends at its own deadline and is
        # ignored.
        for number in range(min(PARALLEL_FETCHES, len(self._paths))):
            threading.Thread(target=self._work, name=f"fetch-{number}", daemon=True).start()
        try:
            while len(fetched) < len(self._paths):
                self._raise_if_ended(stopped, fetched)
                try:
                    link, result = self._results.get(
                        timeout=min(CHECK_SECONDS, max(self._allowance.seconds_left, 0))
                    )
                except queue.Empty:
                    continue
                if isinstance(result, InputError):
                    self._raise_if_ended(stopped, fetched)  # a link that ran into the task's own deadline
                    raise result.at(self._paths[link]) from None
                if isinstance(result, Exception):
                    raise result
                fetched[link] = result
        finally:
            self._waiting.clear()
            self._allowance.close_connections()
        return fetched

    def _raise_if_ended(self, stopped: Callable[[], bool], fetched: dict[str, Fetched]) -> None:
        if stopped():
            raise InputsStopped
        if self._allowance.seconds_left <= 0:
            count, path = (
                len(self._paths),
                next(path for link, path in self._paths.items() if link not in fetched),
            )
            text = (
                f"only {len(fetched)} of the task's {count} links were downloaded in time: "
                "their servers are too slow."
            )
            raise InputError(ErrorCode.INPUT_UNAVAILABLE, text).at(path)

    def _work(self) -> None:
        while True:
            try:
                link = self._waiting.popleft()
            except IndexError:
                return
            try:
                fetched = self._links.fetch(link, self._allowance)
                # The engine's request contains the image as often as the link appears.
                self._allowance.count_bytes(len(fetched.data) * (self._times[link] - 1))
                _count_pixels(self._allowance, fetched.file_type, self._times[link])
                self._results.put((link, fetched))
            except Exception as error:  # noqa: BLE001 - `run` raises it in the waiting thread
                self._results.put((link, error))
