"""Connect to servers that callers name, on public addresses only."""
