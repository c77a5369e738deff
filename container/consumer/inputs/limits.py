"""Limits for downloading one link."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one download, including its redirects."""

    max_bytes: int = 32 * 1024 * 1024
    media_bytes: int = 0
    """Size of a video or a sound; 0 where only images are inputs."""
    max_pixels: int = 8192 * 8192
    """Pixels of the decoded image: 256 MiB as RGBA. Pillow, with which engines decode, refuses more than 178
    million."""
    max_side: int = 8192
    """Width and height of the decoded image, whatever its area, because an engine may scale the shorter side
    to fill a size."""
    connect_seconds: float = 10.0
    """For each step of a connection: resolving the name, connecting, and the TLS handshake."""
    total_seconds: float = 60.0
    """For one link, including its redirects."""
    max_redirects: int = 5

    @property
    def download_bytes(self) -> int:
        """Return the size of the largest file of any kind."""
        return max(self.max_bytes, self.media_bytes)
