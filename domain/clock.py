"""Timestamps of the table and the callbacks: UTC, ISO 8601 with milliseconds, sortable as text."""

from datetime import UTC, datetime, timedelta


def iso(moment: datetime) -> str:
    """Format a moment as `2026-11-22T17:02:34.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime:
    """Parse a timestamp that `iso` formatted."""
    return datetime.fromisoformat(text)


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def iso_after(moment: datetime, seconds: float) -> str:
    """Return the timestamp that is `seconds` after `moment`."""
    return iso(moment + timedelta(seconds=seconds))
