"""Times as the table and the callbacks write them: UTC, ISO 8601, milliseconds, sortable as text."""

from datetime import UTC, datetime, timedelta


def iso(moment: datetime) -> str:
    """Return the moment as `2026-11-22T17:02:34.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime:
    """Return the moment that `iso` wrote."""
    return datetime.fromisoformat(text)


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def later(moment: datetime, seconds: float) -> str:
    """Return `moment` plus `seconds` as text."""
    return iso(moment + timedelta(seconds=seconds))
