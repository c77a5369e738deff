"""When a request is sent again, and how long to wait before that."""

import random
from dataclasses import dataclass
from typing import Final

import httpx

TRANSIENT: Final = frozenset({429, 500, 502, 503, 504})
MAX_DELAY_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a request is sent again.

    Requests that are safe to repeat are sent again after a lost connection, a timeout, 429 and 5xx. Others
    are sent again only if they cannot have had an effect: when no connection was made, and after 429.
    """

    count: int = 4
    first_delay_seconds: float = 0.5

    def delay_after_error(self, error: httpx.RequestError, attempt: int, *, repeatable: bool) -> float | None:
        """Return the seconds until the next attempt, or None if there is none."""
        never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        permanent = isinstance(
            error, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.TooManyRedirects
        )
        return self._delay(attempt) if (repeatable or never_sent) and not permanent else None

    def delay_after_response(
        self, response: httpx.Response, attempt: int, *, repeatable: bool
    ) -> float | None:
        """Return the seconds until the next attempt, or None if the response stands."""
        status = response.status_code
        if status not in TRANSIENT or not (repeatable or status == 429):
            return None
        delay = self._delay(attempt)
        asked = response.headers.get("retry-after", "")
        return min(MAX_DELAY_SECONDS, max(delay, float(asked))) if delay and asked.isdecimal() else delay

    def _delay(self, attempt: int) -> float | None:
        if attempt >= self.count:
            return None
        # Callers that failed at the same moment should not all come back at the same moment.
        spread = random.uniform(0.5, 1.0)  # noqa: S311 -- it protects nothing
        return min(MAX_DELAY_SECONDS, self.first_delay_seconds * float(2**attempt)) * spread


DEFAULT_RETRIES: Final = Retries()
