"""How much of a link is followed, and for how long (design, section 6)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bound one fetch, its redirects included."""

    max_bytes: int = 32 * 1024 * 1024
    max_pixels: int = 8192 * 8192
    """Of the decoded image: 256 MiB as RGBA. SD Web UI itself refuses beyond some 178 million."""
    max_side: int = 8192
    """Of the decoded image, whatever its area: SD Web UI scales by the shorter side, to fill a size."""
    connect_seconds: float = 10.0
    """For each step of one connection: looking up the name, connecting, the TLS handshake."""
    total_seconds: float = 60.0
    """For one link, its redirects included."""
    max_redirects: int = 5
